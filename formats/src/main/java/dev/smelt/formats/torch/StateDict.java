package dev.smelt.formats.torch;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.pickle.PickleValue;
import dev.smelt.formats.pickle.PickleValue.Dict;
import dev.smelt.formats.pickle.PickleValue.Entry;
import dev.smelt.formats.pickle.PickleValue.Reduce;
import dev.smelt.formats.pickle.PickleValue.Text;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * Which part of a saved object is the model. A dict that has a dict of tensors under one of the
 * names that trainers use is a training checkpoint, and that dict is the model; otherwise the dict
 * itself is. What lies beside the model is listed, tensors included: optimizer states and the like.
 * Inside the model, every tensor must be an entry of its own, so that none is lost.
 */
final class StateDict {

  /** What trainers call the model's part. */
  private static final Set<String> NAMES =
      Set.of("state_dict", "model_state_dict", "model", "module", "net");

  /** More than one wrapper in another is rare, more than this a trick. */
  private static final int MAX_DEPTH = 4;

  private final String where;
  private final Descriptions descriptions = new Descriptions();
  private final Map<String, String> metadata = new TreeMap<>();

  private StateDict(String where) {
    this.where = where;
  }

  /**
   * @param where the file, for refusals
   */
  static TorchTensors select(PickleValue root, String where) {
    return new StateDict(where).select(root);
  }

  private TorchTensors select(PickleValue root) {
    List<String> path = new ArrayList<>();
    Dict dict = requireDict(root);
    for (Optional<String> name = wrapped(dict);
        name.isPresent() && path.size() < MAX_DEPTH;
        name = wrapped(dict)) {
      Dict inner = dict;
      for (Entry entry : dict.entries()) {
        if (entry.key() instanceof Text key && key.value().equals(name.get())) {
          inner = requireDict(entry.value());
        } else {
          leaveOut(path, entry);
        }
      }
      path.add(name.get());
      dict = inner;
    }
    List<StridedTensor> tensors = tensors(dict, path);
    if (!path.isEmpty()) {
      metadata.put("state dict", String.join(".", path));
    }
    return new TorchTensors(tensors, metadata);
  }

  private Dict requireDict(PickleValue value) {
    if (value instanceof Dict dict) {
      return dict;
    }
    throw new UnsupportedException(
        "no state dict in a PyTorch file",
        where,
        "expected a dict of tensors, found " + descriptions.of(value),
        "save it with torch.save(model.state_dict(), …)");
  }

  /** The name under which the dict holds a model, if it does. */
  private Optional<String> wrapped(Dict dict) {
    List<String> found = new ArrayList<>();
    for (Entry entry : dict.entries()) {
      if (entry.key() instanceof Text key
          && NAMES.contains(key.value())
          && entry.value() instanceof Dict inner
          && descriptions.holdsTensors(inner)) {
        found.add(key.value());
      }
    }
    if (found.size() > 1) {
      throw new UnsupportedException(
          "two models in one PyTorch file",
          where,
          "found tensors under " + String.join(", ", found),
          "save one of them alone");
    }
    return found.stream().findFirst();
  }

  private List<StridedTensor> tensors(Dict dict, List<String> path) {
    List<StridedTensor> tensors = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (Entry entry : dict.entries()) {
      if (StridedTensor.isTensor(entry.value()) && entry.value() instanceof Reduce call) {
        if (!(entry.key() instanceof Text name)) {
          throw new UnsupportedException(
              "tensor without a name",
              where + "@" + call.offset(),
              "expected a string as its key, found " + descriptions.of(entry.key()),
              "");
        }
        if (!names.add(name.value())) {
          throw new CorruptException(
              "two tensors of one name", where + "@" + call.offset() + "|" + name.value(), "", "");
        }
        tensors.add(StridedTensor.of(name.value(), call, where));
      } else if (descriptions.holdsTensors(entry.value())) {
        throw new UnsupportedException(
            "tensors nested in a state dict",
            where + "|" + descriptions.of(entry.key()),
            "expected a tensor, found " + descriptions.of(entry.value()),
            "save the model's state dict alone");
      } else {
        leaveOut(path, entry);
      }
    }
    if (tensors.isEmpty()) {
      throw new UnsupportedException(
          "no tensors in a PyTorch file",
          where,
          "found " + descriptions.of(dict),
          "save it with torch.save(model.state_dict(), …)");
    }
    return tensors;
  }

  private void leaveOut(List<String> path, Entry entry) {
    List<String> name = new ArrayList<>(path);
    name.add(descriptions.of(entry.key()));
    metadata.put(TorchTensors.LEFT_OUT + String.join(".", name), descriptions.of(entry.value()));
  }
}
