package dev.smelt.gpu.layer;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.model.Sharing;
import java.util.Map;
import java.util.Optional;

/**
 * Where a module's factors are.
 *
 * @param a full name of A's tensor
 * @param b full name of B's tensor
 * @param delta whether they are a change of a matrix that is stored as well
 */
record StoredFactors(String a, String b, long rank, boolean delta) {

  /**
   * Empty where a module has none.
   *
   * @param listed all factors that are listed, by module
   * @param module its full name
   * @throws MismatchException when it is stored dense as well, unless factors are a change, or with
   *     a factor of its own in place of the one it shares
   */
  static Optional<StoredFactors> of(
      Checkpoint checkpoint, Map<String, LowRank.Module> listed, String module) {
    LowRank.Module entry = listed.get(module);
    if (entry != null && (entry.delta() || entry.sharing().shared().isPresent())) {
      return Optional.of(listed(checkpoint, module, entry));
    }
    String factor = LowRank.factorB(module);
    Optional<TensorView> b = checkpoint.find(factor);
    if (b.isEmpty()) {
      return Optional.empty();
    }
    requireAbsent(checkpoint, LowRank.denseWeight(module), factor);
    Shape shape = b.get().shape();
    long rank = shape.rank() == 0 ? 0 : shape.size(0);
    return Optional.of(new StoredFactors(LowRank.factorA(module), factor, rank, false));
  }

  private static StoredFactors listed(Checkpoint checkpoint, String module, LowRank.Module entry) {
    if (entry.delta()) {
      requireAbsent(checkpoint, LowRank.bias(module), entry.nameOfBias(module));
    }
    entry
        .sharing()
        .shared()
        .ifPresent(
            basis -> {
              if (!entry.delta()) {
                requireAbsent(checkpoint, LowRank.denseWeight(module), basis.name());
              }
              boolean sharesA = entry.sharing() instanceof Sharing.OfA;
              String own = sharesA ? LowRank.factorA(module) : LowRank.factorB(module);
              requireAbsent(checkpoint, own, basis.name());
            });
    return new StoredFactors(
        entry.nameOfA(module), entry.nameOfB(module), entry.rank(), entry.delta());
  }

  /**
   * @param other what is there in another form
   * @throws MismatchException when the tensor is there, too
   */
  static void requireAbsent(Checkpoint checkpoint, String tensor, String other) {
    if (checkpoint.find(tensor).isPresent()) {
      throw new MismatchException(
          "module is both dense and factorised",
          checkpoint.path().toString(),
          "found '" + tensor + "' and '" + other + "'",
          "keep one of the two");
    }
  }
}
