package dev.smelt.gpu.torch;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.jni.JniUtils;
import dev.smelt.formats.DeviceException;
import java.util.function.Consumer;

/** One device of the engine, with the functions that DJL lacks. */
public final class TorchDevice implements AutoCloseable {

  private final NDManager root;
  private final ScriptFunctions functions;

  private TorchDevice(NDManager root, ScriptFunctions functions) {
    this.root = root;
    this.functions = functions;
  }

  /**
   * @param gpu index of the GPU, or -1 for the CPU
   * @param threads threads inside one operator
   */
  public static TorchDevice open(Engine engine, int gpu, int threads) {
    setThreads(threads);
    NDManager root = engine.newBaseManager(gpu < 0 ? Device.cpu() : Device.gpu(gpu));
    return new TorchDevice(root, ScriptFunctions.load(root));
  }

  /** A manager whose close frees all that was made in it. DJL frees nothing by itself. */
  public NDManager scope() {
    return root.newSubManager();
  }

  /**
   * Runs one step of a longer work in a scope of its own.
   *
   * @param what for a person: "evaluation"
   * @throws DeviceException when the engine fails in it
   */
  public void step(String what, Consumer<NDManager> work) {
    try (NDManager manager = scope()) {
      work.accept(manager);
    } catch (EngineException e) {
      throw new DeviceException(what, "a smaller --batch needs less memory", e);
    }
  }

  /** Threads inside one operator from now on, for the calling thread and those it will start. */
  public static void setThreads(int threads) {
    JniUtils.setNumThreads(threads);
  }

  public ScriptFunctions functions() {
    return functions;
  }

  @Override
  public void close() {
    functions.close();
    root.close();
  }
}
