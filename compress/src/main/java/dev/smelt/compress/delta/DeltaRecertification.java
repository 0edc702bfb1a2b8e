package dev.smelt.compress.delta;

import dev.smelt.compress.layer.Values;
import dev.smelt.compress.lowrank.Certificate;
import dev.smelt.compress.metric.Metric;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Architecture;
import dev.smelt.formats.peft.AdaptedTensor;
import dev.smelt.formats.peft.Adapter;
import dev.smelt.formats.peft.AdapterFactors;
import dev.smelt.formats.peft.AdapterMatch;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Computes what a written adapter is worth again, from the model and the base it was made of. */
public final class DeltaRecertification {

  private DeltaRecertification() {}

  /**
   * A tensor of the model against the base with its adapter.
   *
   * @param tensor its name in the model
   * @param factors its factors' rank and certificate; none where there are no factors
   * @param equal whether all values are the model's; for those without factors
   */
  public record Found(String tensor, Optional<Factors> factors, boolean equal) {}

  /**
   * @param certificate of Δ
   * @param relativeToTensor ‖Δ − BA‖ / ‖W‖
   */
  public record Factors(int rank, Certificate certificate, double relativeToTensor) {}

  /**
   * In the order of the base with its adapter; tensors that the model lacks are left out.
   *
   * @throws MismatchException when the model has other shapes
   */
  public static List<Found> of(
      Checkpoint model, Checkpoint base, Adapter adapter, Metric metric, ComputeDevice device) {
    Architecture architecture = Architecture.of(model.config());
    Map<String, TensorView> byBareName = new HashMap<>();
    model.tensors().forEach(view -> byBareName.put(architecture.bareName(view.name()), view));
    return AdapterMatch.of(base, adapter).tensors().stream()
        .flatMap(
            tensor -> {
              String bare = architecture.bareName(tensor.name());
              return Optional.ofNullable(byBareName.get(bare))
                  .map(tuned -> found(model, tuned, tensor, metric, device))
                  .stream();
            })
        .toList();
  }

  private static Found found(
      Checkpoint model,
      TensorView tuned,
      AdaptedTensor tensor,
      Metric metric,
      ComputeDevice device) {
    if (!tuned.shape().equals(tensor.start().shape())) {
      throw new MismatchException(
          "adapter of another model",
          model.path() + "|" + tuned.name(),
          "expected " + tensor.start().shape() + ", found " + tuned.shape(),
          "give the model that it was made of");
    }
    if (tensor.factors().isEmpty()) {
      return new Found(tuned.name(), Optional.empty(), Values.equal(tuned, tensor.start()));
    }
    String module =
        tuned.name().substring(0, tuned.name().length() - ChangedMatrix.WEIGHT.length());
    AdapterFactors factors = tensor.factors().get();
    ChangedMatrix matrix =
        new ChangedMatrix(
            model.path(), module, tuned, tensor.start(), tensor.transposed(), factors.table());
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      Matrix delta = matrix.load(algebra);
      DeltaFactors stored = new DeltaFactors(factors.a(), factors.b(), factors.table());
      Matrix left = stored.left(algebra);
      double[] scales = new double[left.rows()];
      Arrays.fill(scales, factors.scale());
      Certificate certificate =
          Certificate.of(
              algebra,
              delta,
              algebra.scaleRows(left, scales),
              stored.right(algebra),
              DeltaMetric.weighting(metric, algebra, matrix).weighting());
      double share = algebra.frobenius(delta) / Values.norm(tuned);
      return new Found(
          tuned.name(),
          Optional.of(
              new Factors(factors.rank(), certificate, certificate.relativeError() * share)),
          false);
    }
  }
}
