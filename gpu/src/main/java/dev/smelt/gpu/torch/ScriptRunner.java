package dev.smelt.gpu.torch;

import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.UnsupportedException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/**
 * A TorchScript module that runs: its forward pass in evaluation mode, and its parameters as leaves
 * of the graph. Everything dies with the manager it was loaded with.
 */
public final class ScriptRunner {

  private final PtSymbolBlock module;
  private final Path path;

  private ScriptRunner(PtSymbolBlock module, Path path) {
    this.module = module;
    this.path = path;
  }

  /**
   * @param archive the file to load, not needed afterwards
   * @param path the file that the user named, for refusals
   * @throws UnsupportedException when the engine cannot load it
   */
  public static ScriptRunner load(NDManager scope, Path archive, Path path) {
    JniUtils.setGraphExecutorOptimize(false);
    PtNDManager manager = (PtNDManager) scope;
    try {
      PtSymbolBlock module =
          JniUtils.loadModule(manager, archive, true, new String[0], new String[0], true);
      // Batch normalisation and dropout as in use, not as in training. DJL's own calls would switch
      // between both by what it believes the module to be in; ours do not touch it.
      JniUtils.enableInferenceMode(module);
      return new ScriptRunner(module, path);
    } catch (EngineException e) {
      throw new UnsupportedException(
          "the engine cannot load a TorchScript file", path.toString(), firstLine(e), "");
    }
  }

  /** By name, requiring gradients; each is the very tensor that the module uses. */
  public SequencedMap<String, NDArray> parameters(NDManager scope) {
    SequencedMap<String, NDArray> parameters = new LinkedHashMap<>();
    for (NDArray parameter : JniUtils.moduleGetParams(module, (PtNDManager) scope)) {
      parameter.setRequiresGradient(true);
      parameters.put(parameter.getName(), parameter);
    }
    return parameters;
  }

  /**
   * The tensor that forward gives for this input, owned by {@code owner}.
   *
   * @throws MismatchException when the module fails on the input
   * @throws UnsupportedException when it gives anything but one tensor
   */
  public NDArray forward(NDManager owner, NDArray input) {
    // Per thread in libtorch; with it on, the first calls take seconds.
    JniUtils.setGraphExecutorOptimize(false);
    NDList results;
    try {
      // Not in inference mode, where gradients would end silently.
      results = IValueUtils.forward(module, new NDList(input), true);
    } catch (EngineException e) {
      throw new MismatchException(
          "the TorchScript module fails on its input",
          path.toString(),
          "of shape " + input.getShape() + ": " + firstLine(e),
          "give data of the shape it was made for");
    } catch (UnsupportedOperationException e) {
      throw notATensor("a value that holds no tensors");
    }
    results.attach(owner);
    if (results.size() != 1) {
      throw notATensor(results.size() + " tensors");
    }
    NDArray result = results.getFirst();
    if (result.getName() != null) {
      throw notATensor("a dict");
    }
    return result;
  }

  private UnsupportedException notATensor(String found) {
    return new UnsupportedException(
        "output of a TorchScript module is not one tensor",
        path.toString(),
        "expected logits, found " + found,
        "wrap the module so that forward returns its logits alone");
  }

  /** Of a message with the call stack of the script. */
  private static String firstLine(EngineException e) {
    return String.valueOf(e.getMessage()).lines().findFirst().orElse("");
  }
}
