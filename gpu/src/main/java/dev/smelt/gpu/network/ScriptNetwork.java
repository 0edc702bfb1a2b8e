package dev.smelt.gpu.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.StorageException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.torch.TorchScript;
import dev.smelt.formats.torch.TorchScript.Place;
import dev.smelt.gpu.data.InputSpec;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.layer.Parameter;
import dev.smelt.gpu.torch.ScriptRunner;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.Set;

/**
 * A TorchScript module with the tensors of a checkpoint in it. The engine lets parameters be set,
 * but not buffers such as running means; so a copy of the module is written that has all of them,
 * loaded and removed again.
 *
 * @param parameters each once, named as in the checkpoint
 * @param notes decisions the user should know of
 */
record ScriptNetwork(
    Built built, List<Parameter> parameters, Set<String> used, List<String> notes) {

  static ScriptNetwork load(
      Checkpoint checkpoint, Path module, NDManager scope, ComputeDevice device) {
    try (TorchScript script = TorchScript.open(module)) {
      List<Place> places = script.places();
      DenseSource source = new DenseSource(checkpoint, device);
      ScriptNames names = ScriptNames.match(source, checkpoint.path(), places, module);
      for (Place place : places) {
        requireUsable(place, names, module);
      }
      List<String> notes = new ArrayList<>(names.notes());
      Path copy = temporary();
      try {
        Set<String> rounded = script.write(copy, names.values());
        if (!rounded.isEmpty()) {
          notes.add(
              rounded.size()
                  + " tensors are rounded to the module's types, the first "
                  + rounded.iterator().next());
        }
        return of(ScriptRunner.load(scope, copy, module), places, names, notes, module, scope);
      } finally {
        delete(copy);
      }
    }
  }

  private static ScriptNetwork of(
      ScriptRunner runner,
      List<Place> places,
      ScriptNames names,
      List<String> notes,
      Path module,
      NDManager scope) {
    SequencedMap<String, NDArray> leaves = runner.parameters(scope);
    List<Parameter> parameters = new ArrayList<>();
    Map<String, String> aliases = new HashMap<>();
    for (Place place : places) {
      TensorView view = names.values().get(place.name());
      if (!place.isParameter() || view == null) {
        continue;
      }
      if (place.aliasOf().isPresent()) {
        TensorView first = names.values().get(place.aliasOf().get());
        aliases.put(view.name(), Objects.requireNonNull(first).name());
        continue;
      }
      NDArray leaf = leaves.get(place.name());
      if (leaf == null) {
        throw new UnsupportedException(
            "the engine finds no such parameter in the TorchScript module",
            module + "|" + place.name(),
            "",
            "");
      }
      parameters.add(Parameter.leaf(view, leaf));
    }
    return new ScriptNetwork(
        new Built(new ScriptModel(runner, parameters, module), new InputSpec.Open(), aliases),
        parameters,
        names.used(),
        notes);
  }

  /** Parameters in other types than f32 abort the process inside DJL or have no gradients. */
  private static void requireUsable(Place place, ScriptNames names, Path module) {
    if (!place.isParameter()) {
      return;
    }
    if (place.info().dtype() != DType.F32) {
      throw new UnsupportedException(
          "parameter of a TorchScript module is not f32",
          module + "|" + place.name(),
          "found " + place.info().dtype().label(),
          "save module.float() instead");
    }
    TensorView view = names.values().get(place.name());
    if (view != null && view.firstNonFinite().isPresent()) {
      throw new NonFiniteException(
          "weight is not finite",
          view.name(),
          "element " + view.firstNonFinite().get(),
          "a network with such a weight has no loss; repair or re-export the checkpoint");
    }
  }

  private static Path temporary() {
    try {
      return Files.createTempFile("smelt-script-", ".pt");
    } catch (IOException e) {
      throw new StorageException("cannot write", Path.of("the temporary folder"), e);
    }
  }

  private static void delete(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      throw new StorageException("cannot remove", file, e);
    }
  }
}
