package dev.smelt.compress.sharing;

import dev.smelt.compress.cluster.BestBasis;
import dev.smelt.compress.cluster.Cluster;
import dev.smelt.compress.cluster.ClusterOptions;
import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
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
 * Computes basis and coefficients as they will be stored: A = L⁻¹Q rounded, and for it the best
 * coefficients (AᵀLᵀLA)⁻¹AᵀLᵀLX, rounded in turn. They are the best for every R. Where rounding
 * breaks the promise, the rank is raised.
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
   * @param subjects of one type, metric and shape of the common side
   * @param name of the basis; empty for a matrix that has both factors to itself
   * @return empty where no rank keeps the promise that takes less than the matrices otherwise
   */
  Optional<SharedBasis> cut(
      List<Subject> subjects, Side side, Cluster.Bracket bracket, Optional<Basis> name) {
    List<LayerBlock> blocks =
        subjects.stream().map(subject -> new LayerBlock(subject, side)).toList();
    long dense =
        blocks.stream().map(LayerBlock::subject).mapToLong(one -> one.denseBytes(stored)).sum();
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      SharedNorm norm = SharedNorm.of(algebra, blocks);
      BestBasis best =
          BestBasis.of(algebra, norm.weighted(), options.with(subjects.getFirst().widths(stored)));
      int largest = name.isPresent() ? Math.min(best.largest(), options.rank()) : best.largest();
      int rank = best.rank();
      while (rank <= largest && best.paysAt(rank)) {
        try (LinearAlgebra inner = algebra.inner()) {
          Matrix directions = norm.common().undoLeft(inner, best.directions(inner, rank));
          SharedBasis cut = cut(inner, blocks, norm, directions, bracket, name);
          if (cut.weightedError() <= options.maxError()) {
            // Scales of rows are not among the costs.
            return Optional.of(cut).filter(one -> one.bytes() < dense);
          }
        }
        rank += Math.max(1, rank / RAISE);
      }
      return Optional.empty();
    }
  }

  private SharedBasis cut(
      LinearAlgebra algebra,
      List<LayerBlock> blocks,
      SharedNorm norm,
      Matrix directions,
      Cluster.Bracket bracket,
      Optional<Basis> name) {
    Side side = blocks.getFirst().side();
    Layer first = blocks.getFirst().subject().layer();
    TensorView basis = store(algebra, side, first, directions, name);
    Matrix a = algebra.load(Layer.asMatrix(basis), Precision.F64, side == Side.INPUT);
    Matrix la = norm.common().left(algebra, a);
    List<TensorView> coefficients = new ArrayList<>();
    for (LayerBlock block : blocks) {
      try (LinearAlgebra inner = algebra.inner()) {
        Matrix lx = norm.common().left(inner, block.load(inner));
        coefficients.add(coefficients(inner, block, la, lx));
      }
    }
    SharedErrors errors =
        SharedErrors.of(algebra, blocks, norm, basis, coefficients, options.perBlock());
    List<SharedMember> members = new ArrayList<>();
    for (int j = 0; j < blocks.size(); j++) {
      members.add(
          new SharedMember(blocks.get(j).subject(), coefficients.get(j), errors.members().get(j)));
    }
    return new SharedBasis(side, basis, members, errors.error(), errors.weightedError(), bracket);
  }

  private TensorView store(
      LinearAlgebra algebra, Side side, Layer first, Matrix directions, Optional<Basis> name) {
    int rank = directions.cols();
    return side == Side.OUTPUT
        ? stored.factor(
            name.map(Basis::name).orElse(LowRank.factorA(first.module())),
            first.weight(),
            first.shapeOfA(rank),
            directions.toDoubles())
        : stored.factor(
            name.map(Basis::name).orElse(LowRank.factorB(first.module())),
            first.weight(),
            first.shapeOfB(rank),
            algebra.transpose(directions).toDoubles());
  }

  /**
   * @param la L A
   * @param lx L X
   */
  private TensorView coefficients(LinearAlgebra algebra, LayerBlock block, Matrix la, Matrix lx) {
    Matrix transposed = algebra.transpose(la);
    Matrix c = algebra.solve(algebra.multiply(transposed, la), algebra.multiply(transposed, lx));
    Layer layer = block.subject().layer();
    int rank = la.cols();
    return block.side() == Side.OUTPUT
        ? stored.factor(
            LowRank.factorB(layer.module()), layer.weight(), layer.shapeOfB(rank), c.toDoubles())
        : stored.factor(
            LowRank.factorA(layer.module()),
            layer.weight(),
            layer.shapeOfA(rank),
            algebra.transpose(c).toDoubles());
  }
}
