package dev.smelt.formats.torch;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.pickle.PickleValue;
import dev.smelt.formats.pickle.PickleValue.Dict;
import dev.smelt.formats.pickle.PickleValue.Entry;
import dev.smelt.formats.pickle.PickleValue.Instance;
import dev.smelt.formats.pickle.PickleValue.Reduce;
import dev.smelt.formats.pickle.PickleValue.Text;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Names the tensors of a TorchScript module as its state dict does: the attributes on the way to
 * them, joined by dots. Parameters and buffers are the model; other tensors, such as a state that a
 * recurrent module keeps between calls, are listed.
 */
final class ScriptModule {

  /** Folder of the sources. */
  static final String CODE = "code/";

  /** Modules and tensors; a submodule that is shared counts at every place. */
  private static final int MAX_VISITS = 1_000_000;

  private final ScriptClasses classes;
  private final String where;
  private final Descriptions descriptions = new Descriptions();
  private final List<StridedTensor> tensors = new ArrayList<>();
  private final Set<String> parameters = new HashSet<>();
  private final Map<String, String> metadata = new TreeMap<>();
  private int visits;

  private ScriptModule(ScriptClasses classes, String where) {
    this.classes = classes;
    this.where = where;
  }

  /**
   * @param where the file, for refusals
   */
  static ScriptTensors select(PickleValue root, ScriptClasses classes, String where) {
    if (!(root instanceof Instance module)) {
      throw new UnsupportedException(
          "no module in a TorchScript file",
          where,
          "found " + new Descriptions().of(root),
          "save it with torch.jit.save");
    }
    ScriptModule walk = new ScriptModule(classes, where);
    walk.visit(module, "");
    walk.requireTensors();
    return new ScriptTensors(walk.tensors, walk.parameters, walk.metadata);
  }

  private void visit(Instance module, String prefix) {
    ScriptClasses.Attributes attributes = classes.of(module.type());
    if (!(module.state() instanceof Dict state)) {
      if (descriptions.holdsTensors(module.state())) {
        leaveOut(prefix.isEmpty() ? "module" : prefix.substring(0, prefix.length() - 1), module);
      }
      return;
    }
    Set<String> seen = new HashSet<>();
    for (Entry entry : state.entries()) {
      if (++visits > MAX_VISITS) {
        throw new LimitException(
            "too many attributes in a TorchScript file", where, "at most " + MAX_VISITS, "");
      }
      if (!(entry.key() instanceof Text key) || !seen.add(key.value())) {
        throw new CorruptException(
            "attribute without a name of its own",
            where + "|" + prefix + descriptions.of(entry.key()),
            "",
            "");
      }
      visit(key.value(), entry.value(), attributes, prefix);
    }
  }

  private void visit(
      String key, PickleValue value, ScriptClasses.Attributes attributes, String prefix) {
    String name = prefix + key;
    if (value instanceof Instance inner) {
      visit(inner, name + ".");
    } else if (value instanceof Reduce call
        && StridedTensor.isTensor(call)
        && attributes.isWeight(key)) {
      tensors.add(StridedTensor.of(name, call, where));
      if (attributes.isParameter(key)) {
        parameters.add(name);
      }
    } else if (descriptions.holdsTensors(value)) {
      leaveOut(name, value);
    }
  }

  private void leaveOut(String name, PickleValue value) {
    metadata.put(TorchTensors.LEFT_OUT + name, descriptions.of(value));
  }

  private void requireTensors() {
    Set<String> names = new HashSet<>();
    for (StridedTensor tensor : tensors) {
      if (!names.add(tensor.info().name())) {
        throw new CorruptException(
            "two tensors of one name", where + "|" + tensor.info().name(), "", "");
      }
    }
    if (tensors.isEmpty()) {
      throw new UnsupportedException(
          "TorchScript module without parameters and buffers",
          where,
          "expected at least one",
          "a frozen module keeps its weights as constants; save it before freezing");
    }
  }
}
