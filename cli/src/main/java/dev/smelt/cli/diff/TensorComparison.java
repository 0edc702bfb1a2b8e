package dev.smelt.cli.diff;

import dev.smelt.cli.report.DiffReport.TensorDiff;
import dev.smelt.compress.expand.DenseModel;
import dev.smelt.compress.expand.DenseTensor;
import dev.smelt.compress.expand.DenseTensor.Product;
import dev.smelt.compress.expand.DenseTensor.Stored;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Architecture;
import dev.smelt.gpu.engine.ComputeDevice;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The dense tensors of two models, paired by name (without the family's prefix) and compared. Only
 * factors need the engine; it is loaded when the first of them is met.
 */
public final class TensorComparison {

  private static final int CHUNK = 1 << 14;

  private final Architecture architecture;
  private final Supplier<ComputeDevice> device;

  public TensorComparison(Architecture architecture, Supplier<ComputeDevice> device) {
    this.architecture = architecture;
    this.device = device;
  }

  /**
   * In the order of {@code before}; tensors only {@code after} has come last.
   *
   * @throws MismatchException when no tensor is in both
   */
  public List<TensorDiff> compare(DenseModel before, DenseModel after, Progress progress) {
    Map<String, DenseTensor> left = byName(before);
    Map<String, DenseTensor> right = byName(after);
    if (Collections.disjoint(left.keySet(), right.keySet())) {
      throw new MismatchException(
          "the checkpoints share no tensor name", "", "", "compare one model with what it became");
    }
    List<TensorDiff> rows = new ArrayList<>();
    try (Progress.Task task = progress.begin("comparing", left.size(), "tensors")) {
      left.forEach(
          (name, tensor) -> {
            DenseTensor other = right.get(name);
            rows.add(other == null ? removed(tensor) : pair(tensor, other));
            task.advance(1);
          });
    }
    right.forEach(
        (name, tensor) -> {
          if (!left.containsKey(name)) {
            rows.add(added(tensor));
          }
        });
    return rows;
  }

  private Map<String, DenseTensor> byName(DenseModel model) {
    Map<String, DenseTensor> tensors = new LinkedHashMap<>();
    for (DenseTensor tensor : model.tensors()) {
      tensors.put(architecture.bareName(tensor.info().name()), tensor);
    }
    return tensors;
  }

  private TensorDiff pair(DenseTensor before, DenseTensor after) {
    boolean comparable =
        before.info().shape().equals(after.info().shape())
            && before.info().dtype().isFloat()
            && after.info().dtype().isFloat();
    if (!comparable) {
      return row(before, after, sameBytes(before, after) ? "same" : "changed", null, null);
    }
    Totals totals = new Totals();
    long elements = before.info().elements();
    Values left = values(before);
    Values right = values(after);
    double[] a = new double[(int) Math.min(CHUNK, elements)];
    double[] b = new double[a.length];
    for (long at = 0; at < elements; at += a.length) {
      int count = (int) Math.min(a.length, elements - at);
      left.read(at, count, a);
      right.read(at, count, b);
      totals.add(a, b, count);
    }
    double error = totals.error == 0 ? 0 : Math.sqrt(totals.error / totals.norm);
    String status = totals.error == 0 ? "same" : "changed";
    return row(before, after, status, error, elements == 0 ? 0 : (double) totals.zeros / elements);
  }

  /** Sums over a tensor, in f64. */
  private static final class Totals {
    private double error;
    private double norm;
    private long zeros;

    void add(double[] before, double[] after, int count) {
      for (int i = 0; i < count; i++) {
        // A NaN that stays one, and an infinity that stays, are no change.
        double step = Double.compare(before[i], after[i]) == 0 ? 0 : before[i] - after[i];
        error += step * step;
        norm += before[i] * before[i];
        zeros += after[i] == 0 ? 1 : 0;
      }
    }
  }

  private interface Values {
    void read(long first, int count, double[] target);
  }

  private Values values(DenseTensor tensor) {
    return switch (tensor) {
      case Stored stored -> stored.view()::read;
      case Product product -> {
        double[] dense = product.multiply(device.get());
        yield (first, count, target) -> System.arraycopy(dense, (int) first, target, 0, count);
      }
    };
  }

  private static boolean sameBytes(DenseTensor before, DenseTensor after) {
    return before instanceof Stored(String _, TensorView left)
        && after instanceof Stored(String _, TensorView right)
        && left.info().shape().equals(right.info().shape())
        && left.dtype() == right.dtype()
        && left.segment().mismatch(right.segment()) < 0;
  }

  private static TensorDiff row(
      DenseTensor before,
      DenseTensor after,
      String status,
      @Nullable Double error,
      @Nullable Double sparsity) {
    return new TensorDiff(
        before.info().name(),
        status,
        before.info().shape().toString(),
        error,
        after.rank().isPresent() ? after.rank().getAsInt() : null,
        sparsity,
        before.storedBytes(),
        after.storedBytes(),
        packedBytes(after));
  }

  private static TensorDiff removed(DenseTensor tensor) {
    return new TensorDiff(
        tensor.info().name(),
        "removed",
        tensor.info().shape().toString(),
        null,
        null,
        null,
        tensor.storedBytes(),
        0);
  }

  private static TensorDiff added(DenseTensor tensor) {
    return new TensorDiff(
        tensor.info().name(),
        "added",
        tensor.info().shape().toString(),
        null,
        tensor.rank().isPresent() ? tensor.rank().getAsInt() : null,
        null,
        0,
        tensor.storedBytes(),
        packedBytes(tensor));
  }

  private static @Nullable Long packedBytes(DenseTensor tensor) {
    return tensor.fileBytes() == tensor.storedBytes() ? null : tensor.fileBytes();
  }
}
