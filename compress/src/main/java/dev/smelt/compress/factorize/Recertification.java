package dev.smelt.compress.factorize;

import dev.smelt.compress.layer.Factors;
import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.Values;
import dev.smelt.compress.lowrank.Certificate;
import dev.smelt.compress.metric.Metric;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Axis;
import dev.smelt.formats.model.FusedPart;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.model.Slice;
import dev.smelt.gpu.engine.ComputeDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Computes the certificate of a written module again, from the model it was made of. */
public final class Recertification {

  private Recertification() {}

  /**
   * A pair of factors that a checkpoint lists.
   *
   * @param whole module of the matrix
   * @param part which rows or columns of it they stand for, where not for all
   * @param factors how they are stored
   */
  public record Stored(String whole, Optional<FusedPart> part, LowRank.Module factors) {

    public int rank() {
      return factors.rank();
    }

    /** The module that the factors are named by. */
    public String module() {
      return part.map(one -> LowRank.part(whole, one.name())).orElse(whole);
    }

    /** What they stand for. */
    public Layer of(Checkpoint original) {
      TensorView dense = original.tensor(whole + Layer.WEIGHT);
      return new Layer(original.path(), module(), dense, factors.transposed(), part);
    }
  }

  /** All pairs of factors, in the order of their modules. */
  public static List<Stored> pairs(LowRank lowRank) {
    List<Stored> pairs = new ArrayList<>();
    lowRank
        .modules()
        .forEach(
            (module, entry) -> {
              switch (entry) {
                case LowRank.Module one -> pairs.add(new Stored(module, Optional.empty(), one));
                case LowRank.Split split -> {
                  for (LowRank.Part part : split.parts()) {
                    FusedPart cut = new FusedPart(part.name(), part.slice());
                    part.factors(split.transposed())
                        .ifPresent(own -> pairs.add(new Stored(module, Optional.of(cut), own)));
                  }
                }
              }
            });
    return pairs;
  }

  /**
   * A matrix and what is stored in its place.
   *
   * @param base W₀, where the factors are a change of it
   */
  public record Opened(Layer layer, Optional<TensorView> base, Factors factors) {}

  /**
   * @param original the dense model
   * @param written its factorised form
   * @throws MismatchException when the factors are not of the original's shape
   */
  public static Opened open(Checkpoint original, Checkpoint written, Stored pair) {
    String module = pair.module();
    Layer layer = pair.of(original);
    TensorView dense = layer.weight();
    TensorView a = LowRank.factor(written, pair.factors().nameOfA(module));
    TensorView b = LowRank.factor(written, pair.factors().nameOfB(module));
    boolean sized = dense.shape().rank() >= 2 && dense.elements() > 0;
    int rank = sized && b.shape().rank() >= 2 ? Math.toIntExact(b.shape().size(0)) : 0;
    boolean fits =
        rank > 0
            && pair.part().stream().allMatch(one -> reaches(layer, one.slice()))
            && a.shape().equals(layer.shapeOfA(rank))
            && b.shape().equals(layer.shapeOfB(rank));
    if (!fits) {
      throw new MismatchException(
          "factors of another shape",
          written.path() + "|" + module,
          "expected those of " + dense.shape() + ", found " + a.shape() + " and " + b.shape(),
          "compare with the model it was made of");
    }
    Optional<TensorView> base =
        pair.factors().delta() ? Optional.of(base(written, pair, dense)) : Optional.empty();
    return new Opened(layer, base, new Factors(a, b));
  }

  /**
   * Of W, or where factors are a change, of W − W₀ with the stored W₀.
   *
   * @throws MismatchException as {@link #open}
   */
  public static Certificate of(
      Checkpoint original, Checkpoint written, Stored pair, Metric metric, ComputeDevice device) {
    Opened opened = open(original, written, pair);
    Certifier certifier = new Certifier(device, metric);
    return opened
        .base()
        .map(base -> certifier.certifyChange(opened.layer(), base, opened.factors()))
        .orElseGet(() -> certifier.certify(opened.layer(), opened.factors()));
  }

  /**
   * What a change is of the matrix: ‖W − W₀‖ / ‖W‖, 0 where both are 0.
   *
   * @param original the dense model
   * @param written with a W₀ for this pair
   * @throws MismatchException when W₀ has another shape
   */
  public static double shareOfChange(Checkpoint original, Checkpoint written, Stored pair) {
    TensorView dense = original.tensor(pair.whole() + Layer.WEIGHT);
    double change = Values.distance(dense, base(written, pair, dense));
    return change == 0 ? 0 : change / Values.norm(dense);
  }

  private static TensorView base(Checkpoint written, Stored pair, TensorView dense) {
    TensorView base = written.tensor(LowRank.denseWeight(pair.whole()));
    if (!base.shape().equals(dense.shape())) {
      throw new MismatchException(
          "changed matrix of another shape",
          written.path() + "|" + base.name(),
          "expected " + dense.shape() + ", found " + base.shape(),
          "compare with the model it was made of");
    }
    return base;
  }

  private static boolean reaches(Layer layer, Slice slice) {
    return slice.end() <= (slice.axis() == Axis.OUTPUT ? layer.storedOut() : layer.storedIn());
  }
}
