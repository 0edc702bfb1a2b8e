package dev.smelt.compress.cluster;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.formats.DType;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Basis;
import dev.smelt.formats.model.LowRank;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Computes basis and coefficients as they will be stored: Q rounded, and for it the best
 * coefficients (QᵀQ)⁻¹QᵀA, rounded in turn. Where rounding breaks the promise, the rank is raised.
 */
final class BasisCutter {

  /** By which share the rank is raised, at least by one. */
  private static final int RAISE = 32;

  private final ComputeDevice device;
  private final ClusterOptions options;
  private final StoredTensors stored;

  BasisCutter(ComputeDevice device, ClusterOptions options, StoredTensors stored) {
    this.device = device;
    this.options = options;
    this.stored = stored;
  }

  /**
   * @param layers of one type and shape of the common side
   * @param name of the basis; empty for a layer that has both factors to itself
   * @return empty where no rank keeps the promise that takes less than the matrices alone
   */
  Optional<SharedBasis> cut(List<Layer> layers, Side side, Cluster cluster, Optional<Basis> name) {
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      List<Member> members = new ArrayList<>();
      long otherwise = 0;
      for (Layer layer : layers) {
        LayerBlock block = new LayerBlock(layer, side);
        members.add(Member.of(algebra, members.size(), block, options.perBlock()));
        otherwise +=
            layers.size() == 1
                ? layer.elements()
                : Elements.alone(members.getLast(), options.maxError());
      }
      UnionSpectrum spectrum = UnionSpectrum.of(algebra, members);
      int rank = cluster.rank();
      while (rank <= spectrum.values().length && Elements.shared(rank, members) < otherwise) {
        SharedBasis cut = cut(algebra, layers, side, spectrum, rank, cluster.bracket(), name);
        if (cut.error() <= options.maxError()) {
          return Optional.of(cut);
        }
        rank += Math.max(1, rank / RAISE);
      }
      return Optional.empty();
    }
  }

  private SharedBasis cut(
      LinearAlgebra workspace,
      List<Layer> layers,
      Side side,
      UnionSpectrum spectrum,
      int rank,
      Cluster.Bracket bracket,
      Optional<Basis> name) {
    Layer first = layers.getFirst();
    DType dtype = stored.typeOf(first.weight());
    try (LinearAlgebra algebra = workspace.inner()) {
      Matrix leading = algebra.leadingColumns(spectrum.vectors(), rank);
      TensorView basis =
          side == Side.OUTPUT
              ? stored.of(
                  name.map(Basis::name).orElse(LowRank.factorA(first.module())),
                  dtype,
                  first.shapeOfA(rank),
                  leading.toDoubles())
              : stored.of(
                  name.map(Basis::name).orElse(LowRank.factorB(first.module())),
                  dtype,
                  first.shapeOfB(rank),
                  algebra.transpose(leading).toDoubles());
      Matrix loaded = algebra.load(Layer.asMatrix(basis), Precision.F64, side == Side.INPUT);
      List<TensorView> coefficients = new ArrayList<>();
      List<Double> errors = new ArrayList<>();
      double lost = 0;
      double total = 0;
      double largest = 0;
      for (Layer layer : layers) {
        try (LinearAlgebra inner = algebra.inner()) {
          Matrix a = new LayerBlock(layer, side).load(inner);
          TensorView own = coefficients(inner, layer, side, loaded, a);
          Matrix c = inner.load(Layer.asMatrix(own), Precision.F64, side == Side.INPUT);
          double error = inner.frobenius(inner.multiplyAdd(-1, loaded, c, 1, a));
          double norm = inner.frobenius(a);
          coefficients.add(own);
          errors.add(error == 0 ? 0 : error / norm);
          largest = Math.max(largest, errors.getLast());
          lost += error * error;
          total += norm * norm;
        }
      }
      double together = lost == 0 ? 0 : Math.sqrt(lost / total);
      return new SharedBasis(
          side,
          layers,
          basis,
          coefficients,
          errors,
          options.perBlock() ? largest : together,
          bracket);
    }
  }

  private TensorView coefficients(
      LinearAlgebra algebra, Layer layer, Side side, Matrix basis, Matrix a) {
    Matrix transposed = algebra.transpose(basis);
    Matrix c = algebra.solve(algebra.multiply(transposed, basis), algebra.multiply(transposed, a));
    DType dtype = stored.typeOf(layer.weight());
    int rank = basis.cols();
    return side == Side.OUTPUT
        ? stored.of(LowRank.factorB(layer.module()), dtype, layer.shapeOfB(rank), c.toDoubles())
        : stored.of(
            LowRank.factorA(layer.module()),
            dtype,
            layer.shapeOfA(rank),
            algebra.transpose(c).toDoubles());
  }
}
