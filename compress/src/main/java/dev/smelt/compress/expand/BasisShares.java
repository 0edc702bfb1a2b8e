package dev.smelt.compress.expand;

import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Basis;
import dev.smelt.formats.model.FactoredTensor;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What each module of a basis answers for, so that all modules together account for it once: of n
 * elements (or bytes) and k modules each ⌊n/k⌋, and the first n mod k of them one more. A part of a
 * matrix is a module.
 */
final class BasisShares {

  private final Map<String, Integer> modules = new HashMap<>();
  private final Map<String, Integer> served = new HashMap<>();

  private BasisShares() {}

  static BasisShares of(List<FactoredTensor> tensors) {
    BasisShares shares = new BasisShares();
    for (FactoredTensor tensor : tensors) {
      tensor.bases().forEach(basis -> shares.modules.merge(basis.name(), 1, Integer::sum));
    }
    return shares;
  }

  /** What the checkpoint spends on a tensor; each is asked for once, in a fixed order. */
  Spent next(FactoredTensor tensor) {
    Spent spent = Spent.of(tensor.ownTensors());
    for (TensorView basis : tensor.bases()) {
      int sharers = modules.getOrDefault(basis.name(), 1);
      int index = served.merge(basis.name(), 1, Integer::sum) - 1;
      spent =
          new Spent(
              spent.bytes() + Basis.share(basis.info().bytes(), index, sharers),
              spent.elements() + Basis.share(basis.elements(), index, sharers));
    }
    return spent;
  }

  /** Bytes and elements of a checkpoint. */
  record Spent(long bytes, long elements) {

    static Spent of(List<TensorView> tensors) {
      return new Spent(
          tensors.stream().mapToLong(view -> view.info().bytes()).sum(),
          tensors.stream().mapToLong(TensorView::elements).sum());
    }
  }
}
