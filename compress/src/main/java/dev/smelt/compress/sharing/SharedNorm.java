package dev.smelt.compress.sharing;

import dev.smelt.compress.cluster.Block;
import dev.smelt.compress.lowrank.Weight;
import dev.smelt.compress.metric.Curvature;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.ArrayList;
import java.util.List;

/**
 * The norm in which blocks X_j of one family are approximated, Σ_j ‖L X_j R_j‖². One basis for all
 * allows one L; R_j are free. With C_j and D_j what the data say of the common side of block j and
 * of its other one, LᵀL = Σ_j t(D_j) C_j and R_jR_jᵀ = t(C_j) D_j, t the mean of a diagonal, up to
 * common factors: of D_j ⊗ C_j both keep how much block j matters. Diagonal Fisher information
 * gives its sums over rows and columns, Gram matrices the two factors of Kronecker.
 */
final class SharedNorm {

  private final List<LayerBlock> blocks;
  private final Weight common;
  private final List<Curvature> free;
  private final double[] factors;
  private final double shrinkage;

  private SharedNorm(
      List<LayerBlock> blocks,
      Weight common,
      List<Curvature> free,
      double[] factors,
      double shrinkage) {
    this.blocks = blocks;
    this.common = common;
    this.free = free;
    this.factors = factors;
    this.shrinkage = shrinkage;
  }

  /**
   * @param algebra in which L lives
   * @param blocks of which the data say something, of one side and metric
   */
  static SharedNorm of(LinearAlgebra algebra, List<LayerBlock> blocks) {
    List<Curvature> commons = new ArrayList<>();
    List<Curvature> free = new ArrayList<>();
    for (LayerBlock block : blocks) {
      Curvature.Sides sides = block.subject().sides();
      boolean output = block.side() == Side.OUTPUT;
      commons.add(output ? sides.left() : sides.right());
      free.add(output ? sides.right() : sides.left());
    }
    double total = 0;
    for (int j = 0; j < blocks.size(); j++) {
      total += commons.get(j).meanDiagonal() * free.get(j).meanDiagonal();
    }
    double[] ofCommon = new double[blocks.size()];
    double[] ofFree = new double[blocks.size()];
    for (int j = 0; j < blocks.size(); j++) {
      ofCommon[j] = free.get(j).meanDiagonal() / total;
      ofFree[j] = commons.get(j).meanDiagonal() * blocks.size() / total;
    }
    boolean flat = commons.stream().allMatch(Curvature.Flat.class::isInstance);
    Curvature.Rooted root =
        flat
            ? new Curvature.Rooted(Weight.NONE, 0)
            : Curvature.root(algebra, commons, ofCommon, damping(blocks.getFirst()));
    return new SharedNorm(blocks, root.weight(), free, ofFree, root.shrinkage());
  }

  private static double damping(LayerBlock block) {
    return block.subject().metric().damping();
  }

  /** Whether L = R_j = I. */
  boolean isPlain() {
    return blocks.getFirst().subject().isPlain();
  }

  Weight common() {
    return common;
  }

  /**
   * The norm of block j, with R_j made anew each time: of many blocks it would take more memory
   * than the blocks.
   *
   * @param algebra in which R_j lives
   */
  OfBlock of(LinearAlgebra algebra, int j) {
    if (isPlain()) {
      return new OfBlock(Weight.NONE, Weight.NONE, 0);
    }
    Curvature.Rooted own =
        Curvature.root(
            algebra, List.of(free.get(j)), new double[] {factors[j]}, damping(blocks.get(j)));
    return new OfBlock(common, own.weight(), Math.max(shrinkage, own.shrinkage()));
  }

  /**
   * ‖L X R_j‖.
   *
   * @param shrinkage how far Gram matrices had to be moved, beyond damping, to be definite
   */
  record OfBlock(Weight left, Weight right, double shrinkage) {

    /** L X R_j. */
    Matrix apply(LinearAlgebra algebra, Matrix x) {
      return right.right(algebra, left.left(algebra, x));
    }
  }

  /** The blocks L A_j R_j. */
  List<Block> weighted() {
    List<Block> weighted = new ArrayList<>();
    for (int j = 0; j < blocks.size(); j++) {
      weighted.add(isPlain() ? blocks.get(j) : new Weighted(this, j));
    }
    return weighted;
  }

  private record Weighted(SharedNorm norm, int index) implements Block {
    @Override
    public int rows() {
      return norm.blocks.get(index).rows();
    }

    @Override
    public int columns() {
      return norm.blocks.get(index).columns();
    }

    @Override
    public Matrix load(LinearAlgebra algebra) {
      try (LinearAlgebra inner = algebra.inner()) {
        Matrix x = norm.blocks.get(index).load(inner);
        return algebra.keep(norm.of(inner, index).apply(inner, x));
      }
    }
  }
}
