package dev.smelt.gpu.torch;

import ai.djl.engine.Engine;
import ai.djl.engine.EngineException;
import ai.djl.engine.StandardCapabilities;
import ai.djl.pytorch.jni.LibUtils;
import dev.smelt.formats.StorageException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** libtorch, loaded once in a process. */
public final class TorchEngine {

  private static @Nullable Engine loaded;

  private TorchEngine() {}

  /**
   * Loads the native libraries, once; what is set here holds for the life of the process.
   *
   * @param download whether DJL may fetch a native build that is not installed
   * @param threads operators that may run at the same time
   * @throws StorageException when the libraries cannot be unpacked or loaded
   */
  public static synchronized Engine load(boolean download, int threads) {
    Engine engine = loaded;
    if (engine == null) {
      System.setProperty("OPT_OUT_TRACKING", "true");
      setUnlessGiven("ai.djl.offline", String.valueOf(!download));
      setUnlessGiven("ai.djl.pytorch.num_interop_threads", String.valueOf(threads));
      setUnlessGiven("ai.djl.pytorch.graph_optimizer", "false");
      engine = loadNative();
      loaded = engine;
    }
    return engine;
  }

  private static Engine loadNative() {
    try {
      return Engine.getEngine("PyTorch");
    } catch (EngineException | LinkageError e) {
      throw new StorageException(
          "cannot load the native libraries of PyTorch",
          System.getProperty("os.name") + " " + System.getProperty("os.arch"),
          rootMessage(e),
          "check free space and rights of the DJL cache (DJL_CACHE_DIR, by default ~/.djl.ai), or"
              + " set PYTORCH_LIBRARY_PATH");
    }
  }

  private static void setUnlessGiven(String property, String value) {
    if (System.getProperty(property) == null) {
      System.setProperty(property, value);
    }
  }

  private static String rootMessage(Throwable failure) {
    Throwable root = failure;
    for (Throwable cause = root.getCause(); cause != null; cause = root.getCause()) {
      root = cause;
    }
    return String.valueOf(root.getMessage());
  }

  /** GPUs that the loaded libraries can use. */
  public static int gpus(Engine engine) {
    return engine.hasCapability(StandardCapabilities.CUDA) ? engine.getGpuCount() : 0;
  }

  /** The loaded build, such as "2.7.1-cpu-linux-x86_64": the name of its folder. */
  public static String flavour() {
    Path folder = Path.of(LibUtils.getLibtorchPath());
    Path name = folder.getFileName();
    return name == null ? folder.toString() : name.toString();
  }
}
