package dev.smelt.compress.expand;

import dev.smelt.compress.layer.Shares;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.FactoredTensor;
import java.util.List;

/**
 * What a checkpoint spends on each of its tensors, bases shared out among their modules. A part of
 * a matrix is a module.
 */
final class BasisShares {

  private final Shares modules = new Shares();

  private BasisShares() {}

  static BasisShares of(List<FactoredTensor> tensors) {
    BasisShares shares = new BasisShares();
    for (FactoredTensor tensor : tensors) {
      tensor.bases().forEach(basis -> shares.modules.use(basis.name()));
    }
    return shares;
  }

  /** What the checkpoint spends on a tensor; each is asked for once, in a fixed order. */
  Spent next(FactoredTensor tensor) {
    Spent spent = Spent.of(tensor.ownTensors());
    for (TensorView basis : tensor.bases()) {
      Shares.Turn turn = modules.next(basis.name());
      spent =
          new Spent(
              spent.bytes() + turn.of(basis.info().bytes()),
              spent.elements() + turn.of(basis.elements()),
              spent.fileBytes() + turn.of(basis.fileBytes()));
    }
    return spent;
  }

  /**
   * Bytes and elements of a checkpoint.
   *
   * @param fileBytes in the files, where tensors may be packed
   */
  record Spent(long bytes, long elements, long fileBytes) {

    static Spent of(List<TensorView> tensors) {
      return new Spent(
          tensors.stream().mapToLong(view -> view.info().bytes()).sum(),
          tensors.stream().mapToLong(TensorView::elements).sum(),
          tensors.stream().mapToLong(TensorView::fileBytes).sum());
    }
  }
}
