package dev.smelt.gpu.torch;

import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import dev.smelt.formats.DeviceException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The operators that DJL does not offer, as methods of one TorchScript module. Gradients flow
 * through them as through any other operator.
 */
public final class ScriptFunctions implements AutoCloseable {

  private static final String CLASS_NAME = "Functions";

  private static final String CODE =
      """
      class Functions(Module):
        __parameters__ = []
        __buffers__ = []
        training : bool
        def eigh(self: __torch__.Functions, x: Tensor) -> Tuple[Tensor, Tensor]:
          values, vectors = torch.linalg_eigh(x, "L")
          return (torch.flip(values, [0]), torch.flip(vectors, [1]))
        def svd(self: __torch__.Functions, x: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
          u, s, vt = torch.linalg_svd(x, False)
          return (u, s, vt)
        def qr(self: __torch__.Functions, x: Tensor) -> Tuple[Tensor, Tensor]:
          q, r = torch.linalg_qr(x, "reduced")
          return (q, r)
        def cholesky(self: __torch__.Functions, x: Tensor) -> Tuple[Tensor, Tensor]:
          l, info = torch.linalg_cholesky_ex(x, upper=False, check_errors=False)
          return (l, info)
        def solve(self: __torch__.Functions, a: Tensor, b: Tensor) -> Tuple[Tensor, Tensor]:
          x, info = torch.linalg_solve_ex(a, b, left=True, check_errors=False)
          return (x, info)
        def gelu_tanh(self: __torch__.Functions, x: Tensor) -> Tensor:
          return torch.gelu(x, approximate="tanh")
        def silu(self: __torch__.Functions, x: Tensor) -> Tensor:
          return torch.silu(x)
        def index_add_in_place(self: __torch__.Functions, x: Tensor, rows: Tensor, y: Tensor) -> Tensor:
          return torch.index_add_(x, 0, rows, y)
      """;

  /** In front of the name of the array that tells DJL which method to call. */
  private static final String METHOD_MARK = "module_method:";

  private final PtSymbolBlock module;
  private final NDManager manager;
  private final Map<String, NDArray> marks = new ConcurrentHashMap<>();

  private ScriptFunctions(PtSymbolBlock module, NDManager manager) {
    this.module = module;
    this.manager = manager;
  }

  static ScriptFunctions load(NDManager manager) {
    byte[] archive = ScriptArchive.of(CLASS_NAME, CODE);
    try {
      PtSymbolBlock module =
          JniUtils.loadModule(
              (PtNDManager) manager, new ByteArrayInputStream(archive), false, false);
      return new ScriptFunctions(module, manager);
    } catch (IOException e) {
      throw new UncheckedIOException("reading from memory failed", e);
    }
  }

  /**
   * Calls a method that returns one tensor.
   *
   * @param owner of the result
   */
  public NDArray call(NDManager owner, String method, NDArray... arguments) {
    return callForTuple(owner, method, arguments).singletonOrThrow();
  }

  /** Calls a method that returns a tuple of tensors, all owned by {@code owner}. */
  public NDList callForTuple(NDManager owner, String method, NDArray... arguments) {
    // Per thread in libtorch; with it on, the first calls of a method take seconds.
    JniUtils.setGraphExecutorOptimize(false);
    NDList inputs = new NDList(marks.computeIfAbsent(method, this::mark));
    inputs.addAll(List.of(arguments));
    try {
      // In inference mode, which is how DJL's runMethod calls, gradients would end here silently.
      NDList results = IValueUtils.forward(module, inputs, true);
      results.attach(owner);
      return results;
    } catch (EngineException e) {
      throw new DeviceException(method, "try another --device", e);
    }
  }

  private NDArray mark(String method) {
    NDArray mark = manager.create(0);
    mark.setName(METHOD_MARK + method);
    return mark;
  }

  @Override
  public void close() {
    module.close();
  }
}
