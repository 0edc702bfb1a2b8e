package dev.smelt.compress.sharing;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;
import java.util.ArrayList;
import java.util.List;

/**
 * What factors with a common basis, as they are stored, miss of their matrices X.
 *
 * @param members of each matrix
 * @param error of all together: √(Σ‖E‖²/Σ‖X‖²), or the largest of a member where the promise is one
 *     to every matrix
 * @param weightedError the same of ‖LER‖ and ‖LXR‖
 * @param norm √Σ‖X‖²
 */
public record SharedErrors(
    List<OfMember> members, double error, double weightedError, double norm) {

  /**
   * Of one matrix.
   *
   * @param error ‖E‖/‖X‖
   * @param weightedError ‖LER‖/‖LXR‖
   * @param errorOfWhole ‖E‖/‖W‖, where X is what W changed of a base
   * @param shrinkage how far Gram matrices had to be moved to be definite, beyond damping
   */
  public record OfMember(
      double error, double weightedError, double errorOfWhole, double shrinkage) {}

  public SharedErrors {
    members = List.copyOf(members);
  }

  /**
   * @param basis the factor that all have in common
   * @param coefficients the other one of each
   */
  static SharedErrors of(
      LinearAlgebra algebra,
      List<LayerBlock> blocks,
      SharedNorm norm,
      TensorView basis,
      List<TensorView> coefficients,
      boolean perBlock) {
    List<OfMember> members = new ArrayList<>();
    Errors plain = new Errors();
    Errors weighted = new Errors();
    try (LinearAlgebra all = algebra.inner()) {
      boolean input = blocks.getFirst().side() == Side.INPUT;
      Matrix a = all.load(Layer.asMatrix(basis), Precision.F64, input);
      for (int j = 0; j < blocks.size(); j++) {
        try (LinearAlgebra inner = all.inner()) {
          LayerBlock block = blocks.get(j);
          Matrix x = block.load(inner);
          Matrix c = inner.load(Layer.asMatrix(coefficients.get(j)), Precision.F64, input);
          Matrix error = inner.multiplyAdd(-1, a, c, 1, x);
          double missed = inner.frobenius(error);
          double size = inner.frobenius(x);
          SharedNorm.OfBlock own = norm.of(inner, j);
          members.add(
              new OfMember(
                  plain.add(missed, size),
                  weighted.add(
                      inner.frobenius(own.apply(inner, error)),
                      inner.frobenius(own.apply(inner, x))),
                  Errors.ratio(missed, sizeOfWhole(inner, block.subject(), size)),
                  own.shrinkage()));
        }
      }
    }
    return new SharedErrors(members, plain.all(perBlock), weighted.all(perBlock), plain.norm());
  }

  /**
   * ‖W‖.
   *
   * @param size ‖X‖
   */
  private static double sizeOfWhole(LinearAlgebra algebra, Subject subject, double size) {
    return subject.base().isEmpty()
        ? size
        : algebra.frobenius(subject.layer().load(algebra, Precision.F64));
  }
}
