package dev.smelt.compress.metric;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.lowrank.Weight;
import dev.smelt.compress.lowrank.Weighting;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.gpu.engine.LinearAlgebra;
import java.util.Optional;

/** What "close to W" means: the norm ‖L(W − Ŵ)R‖ that the factors minimise. */
public sealed interface Metric
    permits PlainMetric, FisherMetric, ActivationMetric, KroneckerMetric {

  /** As in {@code --metric}. */
  String name();

  /** Whether ‖LXR‖² times {@link Weighting#lossPerEnergy} is an increase of the loss in nats. */
  boolean predictsLoss();

  /**
   * L and R of one layer.
   *
   * @param algebra in which L and R will be used
   * @throws NotFoundException when statistics are needed that are not there
   * @throws MismatchException when they are of another shape
   */
  Weighted weighting(LinearAlgebra algebra, Layer layer);

  /**
   * H of both sides of a layer, before they are made definite.
   *
   * @throws NotFoundException when statistics are needed that are not there
   * @throws MismatchException when they are of another shape
   */
  Curvature.Sides sides(Layer layer);

  /** What is added to the diagonal of H to make it definite, as a share of its mean. */
  double damping();

  /**
   * What a metric says of one layer.
   *
   * @param shrinkage how far Gram matrices had to be moved toward a multiple of I, beyond damping,
   *     to be positive definite: 0 not at all, 1 all the way
   * @param remark why the weights are not what the metric asked for, if they are not
   */
  record Weighted(Weighting weighting, double shrinkage, Optional<String> remark) {

    Weighted(Weighting weighting, double shrinkage) {
      this(weighting, shrinkage, Optional.empty());
    }

    static Weighted of(Weighting weighting) {
      return new Weighted(weighting, 0);
    }

    /**
     * Where the data say nothing of a layer, all weights count alike and no loss is predicted.
     *
     * @param what "inputs are"
     */
    static Weighted withoutInformation(String what) {
      return new Weighted(
          new Weighting(Weight.NONE, Weight.NONE, 0),
          0,
          Optional.of(what + " zero everywhere: plain metric"));
    }
  }
}
