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
        def eigenvalues(self: __torch__.Functions, x: Tensor) -> Tensor:
          return torch.flip(torch.linalg_eigvalsh(x, "L"), [0])
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
        def solve_lower_transposed(self: __torch__.Functions, l: Tensor, b: Tensor) -> Tensor:
          return torch.linalg_solve_triangular(torch.t(l), b, upper=True, left=True, unitriangular=False)
        def solve_lower(self: __torch__.Functions, l: Tensor, b: Tensor) -> Tensor:
          return torch.linalg_solve_triangular(l, b, upper=False, left=True, unitriangular=False)
        def multiply_lower(self: __torch__.Functions, x: Tensor, l: Tensor) -> Tensor:
          h = 512
          parts = annotate(List[Tensor], [])
          for j in range(torch.floordiv(torch.size(l, 0) + h - 1, h)):
            y = torch.slice(x, 1, j * h)
            c = torch.slice(torch.slice(l, 0, j * h), 1, j * h, (j + 1) * h)
            p = torch.append(parts, torch.mm(y, c))
          return torch.cat(parts, 1)
        def multiply_lower_transposed(self: __torch__.Functions, l: Tensor, x: Tensor) -> Tensor:
          h = 512
          parts = annotate(List[Tensor], [])
          for i in range(torch.floordiv(torch.size(l, 0) + h - 1, h)):
            y = torch.slice(x, 0, i * h)
            c = torch.slice(torch.slice(l, 0, i * h), 1, i * h, (i + 1) * h)
            p = torch.append(parts, torch.mm(torch.t(c), y))
          return torch.cat(parts, 0)
        def multiply_roughly(self: __torch__.Functions, a: Tensor, b: Tensor) -> Tensor:
          return torch.to(torch.mm(torch.to(a, 15), torch.to(b, 15)), a)
        def chebyshev(self: __torch__.Functions, g: Tensor, v: Tensor, factors: Tensor) -> Tensor:
          scale = 2.0 / float(torch.select(factors, 0, 0))
          degree = int(torch.select(factors, 0, 1))
          rough = torch.gt(int(torch.select(factors, 0, 2)), 0)
          h = g
          y0 = v
          if torch.gt(degree, 1):
            h = torch.mul(g, scale)
            h0 = torch.sub_(torch.diagonal(h), 1)
          if rough:
            h = torch.to(h, 15)
            y0 = torch.to(v, 15)
          if torch.gt(degree, 1):
            y1 = torch.mm(h, y0)
            for i in range(degree - 1):
              y2 = torch.addmm(y0, h, y1, beta=-1, alpha=2)
              y0 = y1
              y1 = y2
          else:
            y1 = torch.addmm(y0, h, y0, beta=-1, alpha=scale)
          return torch.to(y1, v)
        def multiply_add(self: __torch__.Functions, c: Tensor, a: Tensor, b: Tensor, factors: Tensor) -> Tensor:
          return torch.addmm(c, a, b, beta=float(torch.select(factors, 0, 1)), alpha=float(torch.select(factors, 0, 0)))
        def add_gram(self: __torch__.Functions, total: Tensor, x: Tensor, block: Tensor) -> Tensor:
          h = int(torch.select(block, 0, 0))
          w = int(torch.select(block, 0, 1))
          n = torch.size(x, 0)
          for c in range(torch.floordiv(torch.size(x, 1) + w - 1, w)):
            y = torch.to(torch.slice(x, 1, c * w, (c + 1) * w), total)
            for i in range(torch.floordiv(n + h - 1, h)):
              g = torch.slice(torch.slice(total, 0, i * h, (i + 1) * h), 1, 0, (i + 1) * h)
              l = torch.slice(y, 0, i * h, (i + 1) * h)
              r = torch.slice(y, 0, 0, (i + 1) * h)
              g0 = torch.addmm_(g, l, torch.t(r))
          return (self).mirror(total, h, )
        def gram_roughly(self: __torch__.Functions, x: Tensor, rows: Tensor) -> Tensor:
          h = int(torch.select(rows, 0, 0))
          n = torch.size(x, 0)
          y = torch.to(x, 15)
          total = torch.new_zeros(y, [n, n])
          for i in range(torch.floordiv(n + h - 1, h)):
            g = torch.slice(torch.slice(total, 0, i * h, (i + 1) * h), 1, 0, (i + 1) * h)
            r = torch.slice(y, 0, 0, (i + 1) * h)
            g0 = torch.copy_(g, torch.mm(torch.slice(y, 0, i * h, (i + 1) * h), torch.t(r)))
          return torch.to((self).mirror(total, h, ), x)
        def mirror(self: __torch__.Functions, total: Tensor, h: int) -> Tensor:
          for i in range(torch.floordiv(torch.size(total, 0) + h - 1, h)):
            below = torch.slice(torch.slice(total, 0, i * h, (i + 1) * h), 1, 0, i * h)
            above = torch.slice(torch.slice(total, 0, 0, i * h), 1, i * h, (i + 1) * h)
            g1 = torch.copy_(above, torch.t(below))
          return total
        def reverse(self: __torch__.Functions, x: Tensor) -> Tensor:
          return torch.flip(x, [0, 1])
        def eliminate(self: __torch__.Functions, w: Tensor, u: Tensor, e: Tensor, gone: Tensor, place: Tensor) -> Tensor:
          first = int(torch.select(place, 0, 0))
          end = int(torch.select(place, 0, 1))
          for b in range(torch.floordiv(torch.size(gone, 0) + 31, 32)):
            t = torch.slice(gone, 0, b * 32, (b + 1) * 32)
            start = first + b * 32
            stop = start + torch.size(t, 0)
            for k in range(torch.size(t, 0)):
              i = start + k
              x = torch.select(w, 0, i)
              g = torch.select(t, 0, k)
              r = torch.select(u, 0, i)
              d = torch.div(torch.mul(x, g), torch.select(r, 0, i))
              d0 = torch.copy_(torch.select(e, 0, i), d)
              x0 = torch.mul_(x, torch.rsub(g, 1))
              if torch.gt(stop, i + 1):
                y = torch.slice(w, 0, i + 1, stop)
                y0 = torch.addr_(y, torch.slice(r, 0, i + 1, stop), d, beta=1, alpha=-1)
            if torch.gt(end, stop):
              c = torch.slice(torch.slice(u, 0, start, stop), 1, stop, end)
              z0 = torch.addmm_(torch.slice(w, 0, stop, end), torch.t(c), torch.slice(e, 0, start, stop), beta=1, alpha=-1)
          return w
        def carry(self: __torch__.Functions, w: Tensor, u: Tensor, e: Tensor, place: Tensor) -> Tensor:
          first = int(torch.select(place, 0, 0))
          end = int(torch.select(place, 0, 1))
          c = torch.slice(torch.slice(u, 0, first, end), 1, end)
          y = torch.addmm_(torch.slice(w, 0, end), torch.t(c), torch.slice(e, 0, first, end), beta=1, alpha=-1)
          return w
        def refit(self: __torch__.Functions, w: Tensor, h: Tensor, kept: Tensor, limits: Tensor) -> Tensor:
          steps = int(torch.select(limits, 0, 0))
          tolerance = torch.select(limits, 0, 1)
          d = torch.unsqueeze(torch.diagonal(h), 0)
          x = torch.mul(w, kept)
          g = torch.mul(torch.mm(torch.sub(w, x), h), kept)
          z = torch.div(g, d)
          p = z
          s = torch.sum(torch.mul(g, z), [1], True)
          limit = torch.mul(s, torch.square(tolerance))
          for i in range(steps):
            if bool(torch.any(torch.gt(s, limit))):
              q = torch.mul(torch.mm(p, h), kept)
              c = torch.sum(torch.mul(p, q), [1], True)
              a = torch.div(s, torch.add(c, torch.eq(c, 0)))
              x = torch.addcmul_(x, p, a)
              g = torch.addcmul_(g, q, a, value=-1)
              z = torch.div(g, d)
              t = torch.sum(torch.mul(g, z), [1], True)
              b = torch.div(t, torch.add(s, torch.eq(s, 0)))
              p = torch.addcmul(z, p, b)
              s = t
          return x
        def diagonal(self: __torch__.Functions, x: Tensor) -> Tensor:
          return torch.contiguous(torch.diagonal(x))
        def row_norms(self: __torch__.Functions, x: Tensor) -> Tensor:
          h = torch.floordiv(1000000, torch.size(x, 1)) + 1
          parts = annotate(List[Tensor], [])
          for i in range(torch.floordiv(torch.size(x, 0) + h - 1, h)):
            y = torch.slice(x, 0, i * h, (i + 1) * h)
            p = torch.append(parts, torch.linalg_vector_norm(y, 2, [1], False, dtype=7))
          return torch.cat(parts)
        def row_norms_of_any_size(self: __torch__.Functions, x: Tensor) -> Tensor:
          h = torch.floordiv(1000000, torch.size(x, 1)) + 1
          parts = annotate(List[Tensor], [])
          for i in range(torch.floordiv(torch.size(x, 0) + h - 1, h)):
            y = torch.slice(x, 0, i * h, (i + 1) * h)
            m = torch.amax(torch.abs(y), [1], True)
            z = torch.div(y, torch.add(m, torch.eq(m, 0)))
            s = torch.mul(torch.sqrt(torch.sum(torch.mul_(z, z), [1], True)), m)
            p = torch.append(parts, torch.reshape(s, [-1]))
          return torch.cat(parts)
        def gelu_tanh(self: __torch__.Functions, x: Tensor) -> Tensor:
          return torch.gelu(x, approximate="tanh")
        def silu(self: __torch__.Functions, x: Tensor) -> Tensor:
          return torch.silu(x)
        def patches(self: __torch__.Functions, x: Tensor, kernel: Tensor) -> Tensor:
          kh = int(torch.select(kernel, 0, 0))
          kw = int(torch.select(kernel, 0, 1))
          dh = int(torch.select(kernel, 0, 2))
          dw = int(torch.select(kernel, 0, 3))
          ph = int(torch.select(kernel, 0, 4))
          pw = int(torch.select(kernel, 0, 5))
          sh = int(torch.select(kernel, 0, 6))
          sw = int(torch.select(kernel, 0, 7))
          y = torch.im2col(x, [kh, kw], [dh, dw], [ph, pw], [sh, sw])
          return torch.contiguous(torch.transpose(y, 1, 2))
        def add_to_total(self: __torch__.Functions, total: Tensor, trace: Tensor, sums: Tensor) -> Tensor:
          t = torch.add_(trace, torch.sum(sums))
          return torch.add_(total, torch.reshape(sums, torch.size(total)))
        def add_to_rows(self: __torch__.Functions, total: Tensor, trace: Tensor, rows: Tensor, sums: Tensor) -> Tensor:
          t = torch.add_(trace, torch.sum(sums))
          return torch.index_add_(total, 0, rows, torch.to(sums, 7))
        def squares_of_products(self: __torch__.Functions, left: Tensor, right: Tensor, lengths: Tensor) -> Tensor:
          if torch.eq(torch.size(left, 1), 1):
            l = torch.square(torch.select(left, 1, 0))
            r = torch.square(torch.select(right, 1, 0))
            s = torch.mm(torch.t(l), r)
          elif torch.lt(torch.size(left, 0) * torch.size(left, 2) * torch.size(right, 2), 1000000):
            g = torch.bmm(torch.transpose(left, 1, 2), right)
            s = torch.sum(torch.mul_(g, g), [0])
          else:
            s = torch.new_zeros(left, [torch.size(left, 2), torch.size(right, 2)])
            g = torch.empty_like(s)
            for n in range(torch.size(left, 0)):
              t = int(torch.select(lengths, 0, n))
              l = torch.slice(torch.select(left, 0, n), 0, 0, t)
              r = torch.slice(torch.select(right, 0, n), 0, 0, t)
              g = torch.mm(torch.t(l), r, out=g)
              s = torch.addcmul_(s, g, g)
          return s
        def squares_of_vectors(self: __torch__.Functions, vectors: Tensor) -> Tensor:
          return torch.sum(torch.square(torch.sum(vectors, [1])), [0])
        def squares_of_scaled_vectors(self: __torch__.Functions, vectors: Tensor, scales: Tensor) -> Tensor:
          return torch.sum(torch.square(torch.sum(torch.mul(vectors, scales), [1])), [0])
        def add_product(self: __torch__.Functions, x: Tensor, left: Tensor, right: Tensor) -> Tensor:
          return torch.addmm_(x, torch.t(left), right)
        def clear(self: __torch__.Functions, x: Tensor) -> Tensor:
          return torch.zero_(x)
        def add_square(self: __torch__.Functions, x: Tensor, y: Tensor) -> Tensor:
          return torch.addcmul_(x, y, y)
        def sums_of_squared_rows(self: __torch__.Functions, left: Tensor, right: Tensor) -> Tensor:
          k = torch.bmm(right, torch.transpose(right, 1, 2))
          m = torch.mul_(torch.bmm(k, left), left)
          return torch.sum(torch.reshape(m, [-1, torch.size(left, 2)]), [0])
        def product_over_positions(self: __torch__.Functions, left: Tensor, right: Tensor) -> Tensor:
          l = torch.reshape(left, [-1, torch.size(left, -1)])
          r = torch.reshape(right, [-1, torch.size(right, -1)])
          return torch.mm(torch.t(l), r)
        def squares_over_positions(self: __torch__.Functions, x: Tensor) -> Tensor:
          y = torch.reshape(x, [-1, torch.size(x, -1)])
          return torch.sum(torch.square(y), [0], False, dtype=7)
        def contributions(self: __torch__.Functions, x: Tensor, w: Tensor) -> Tensor:
          y = torch.abs(torch.reshape(x, [-1, torch.size(x, -1)]))
          m = torch.amax(y, [1], True)
          y = torch.div_(y, torch.add(m, torch.eq(m, 0)))
          v = torch.abs(w)
          m = torch.amax(v, [1], True)
          v = torch.div_(v, torch.add(m, torch.eq(m, 0)))
          s = torch.mm(y, torch.t(v))
          r = torch.masked_fill_(torch.reciprocal(s), torch.lt(s, 1e-30), 0)
          return torch.mul_(torch.mm(torch.t(r), y), v)
        def rows_of(self: __torch__.Functions, x: Tensor, rows: Tensor) -> Tensor:
          return torch.index_select(torch.reshape(x, [-1, torch.size(x, -1)]), 0, rows)
        def mean_log_distance(self: __torch__.Functions, x: Tensor, numbers: Tensor) -> Tensor:
          k = int(torch.select(numbers, 0, 0))
          h = 256
          n = torch.size(x, 0)
          y = torch.sub(x, torch.mean(x, [0], True))
          s = torch.sum(torch.square(y), [1])
          least = torch.mul(torch.mean(s), torch.square(torch.select(numbers, 0, 1)))
          least = torch.add(least, 1e-60)
          parts = annotate(List[Tensor], [])
          for i in range(torch.floordiv(n + h - 1, h)):
            z = torch.slice(y, 0, i * h, (i + 1) * h)
            d = torch.addmm(torch.unsqueeze(s, 0), z, torch.t(y), beta=1, alpha=-2)
            d = torch.add_(d, torch.unsqueeze(torch.slice(s, 0, i * h, (i + 1) * h), 1))
            f = torch.fill_(torch.diagonal(d, i * h), 1e300)
            r, j = torch.kthvalue(d, k, 1)
            p = torch.append(parts, torch.maximum(r, least))
          return torch.mul(torch.mean(torch.log(torch.cat(parts))), 0.5)
        def index_add_in_place(self: __torch__.Functions, x: Tensor, rows: Tensor, y: Tensor) -> Tensor:
          return torch.index_add_(x, 0, rows, y)
        def add_sum_of_squares(self: __torch__.Functions, total: Tensor, x: Tensor) -> Tensor:
          return torch.add_(total, torch.sum(torch.square(x), dtype=7))
        def not_zero(self: __torch__.Functions, x: Tensor) -> Tensor:
          return torch.ne(x, 0)
        def multiply_in_place(self: __torch__.Functions, x: Tensor, y: Tensor) -> Tensor:
          return torch.mul_(x, y)
        def adamw(self: __torch__.Functions, x: Tensor, gradient: Tensor, mean: Tensor, square: Tensor, scalars: Tensor) -> Tensor:
          g = torch.mul(gradient, torch.select(scalars, 0, 0))
          m = torch.mul_(mean, torch.select(scalars, 0, 1))
          m = torch.add_(m, torch.mul(g, torch.select(scalars, 0, 2)))
          v = torch.mul_(square, torch.select(scalars, 0, 3))
          v = torch.add_(v, torch.mul(torch.square(g), torch.select(scalars, 0, 4)))
          d = torch.div_(torch.sqrt(v), torch.select(scalars, 0, 5))
          d = torch.add_(d, torch.select(scalars, 0, 6))
          x = torch.mul_(x, torch.select(scalars, 0, 7))
          return torch.add_(x, torch.mul(torch.div(m, d), torch.select(scalars, 0, 8)))
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
