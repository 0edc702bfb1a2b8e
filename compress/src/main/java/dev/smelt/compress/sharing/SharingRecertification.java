package dev.smelt.compress.sharing;

import dev.smelt.compress.factorize.Recertification;
import dev.smelt.compress.factorize.Recertification.Opened;
import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import java.util.ArrayList;
import java.util.List;

/** Computes the certificate of a cluster again, from the models and what was written of them. */
public final class SharingRecertification {

  private SharingRecertification() {}

  /**
   * A matrix and its factors.
   *
   * @param model it is of, with the metric that was used
   * @param written what was made of that model
   */
  public record Member(ZooModel model, Checkpoint written, Recertification.Stored pair) {}

  /**
   * @param members matrices with one basis, of one kind of metric; or one with factors of its own
   * @param side of the basis
   * @throws MismatchException when factors are not of the shapes of their matrices, or members have
   *     no basis in common
   */
  public static SharedErrors of(
      ComputeDevice device, List<Member> members, Side side, boolean perBlock) {
    List<LayerBlock> blocks = new ArrayList<>();
    List<TensorView> coefficients = new ArrayList<>();
    List<TensorView> bases = new ArrayList<>();
    for (Member member : members) {
      Opened opened =
          Recertification.open(member.model().checkpoint(), member.written(), member.pair());
      Layer layer = opened.layer();
      Subject subject =
          Subject.of(
              bases.size(),
              layer,
              opened
                  .base()
                  .map(
                      base ->
                          new Layer(
                              member.written().path(),
                              layer.module(),
                              base,
                              layer.transposed(),
                              layer.part())),
              member.model().metric());
      blocks.add(new LayerBlock(subject.isInformed() ? subject : subject.plain(), side));
      boolean output = side == Side.OUTPUT;
      bases.add(output ? opened.factors().a() : opened.factors().b());
      coefficients.add(output ? opened.factors().b() : opened.factors().a());
    }
    for (TensorView basis : bases) {
      if (!bases.getFirst().sameBits(basis)) {
        throw new MismatchException(
            "matrices of one cluster with different bases",
            basis.name(),
            "expected that of " + members.getFirst().pair().module(),
            "make the output again");
      }
    }
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      SharedNorm norm = SharedNorm.of(algebra, blocks);
      return SharedErrors.of(algebra, blocks, norm, bases.getFirst(), coefficients, perBlock);
    }
  }
}
