package dev.smelt.cli.diff;

import dev.smelt.cli.report.DiffReport.SharedBasis;
import dev.smelt.cli.report.DiffReport.TensorDiff;
import dev.smelt.compress.factorize.Recertification;
import dev.smelt.compress.factorize.Recertification.Stored;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Basis;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.model.Sharing;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/** The bases that matrices of a checkpoint share, for a report. */
public final class SharedBases {

  private SharedBases() {}

  /**
   * @param checkpoint as stored
   * @param tensors its dense form compared with another model
   */
  public static List<SharedBasis> of(Checkpoint checkpoint, List<TensorDiff> tensors) {
    LowRank lowRank = LowRank.of(checkpoint);
    Map<String, TensorDiff> compared = new HashMap<>();
    tensors.forEach(tensor -> compared.put(tensor.name(), tensor));
    SortedMap<Basis, List<Stored>> sharers = new TreeMap<>();
    for (Stored pair : Recertification.pairs(lowRank)) {
      pair.factors()
          .sharing()
          .shared()
          .ifPresent(basis -> sharers.computeIfAbsent(basis, key -> new ArrayList<>()).add(pair));
    }
    List<SharedBasis> shared = new ArrayList<>();
    sharers.forEach(
        (basis, pairs) -> shared.add(shared(checkpoint, lowRank, basis, pairs, compared)));
    return shared;
  }

  private static SharedBasis shared(
      Checkpoint checkpoint,
      LowRank lowRank,
      Basis basis,
      List<Stored> sharers,
      Map<String, TensorDiff> compared) {
    Set<String> stored = new HashSet<>();
    double largest = 0;
    boolean known = true;
    long before = 0;
    for (Stored sharer : sharers) {
      stored.add(sharer.factors().nameOfA(sharer.module()));
      stored.add(sharer.factors().nameOfB(sharer.module()));
      if (sharer.factors().delta()) {
        stored.add(LowRank.denseWeight(sharer.module()));
      }
      TensorDiff tensor = compared.get(LowRank.denseWeight(sharer.whole()));
      Double error = tensor == null ? null : tensor.relativeError();
      known &= error != null;
      largest = error == null ? largest : Math.max(largest, error);
      before += tensor == null ? 0 : share(tensor.bytesBefore(), sharer, lowRank);
    }
    long after =
        stored.stream()
            .map(name -> LowRank.find(checkpoint, name).orElseThrow())
            .mapToLong(TensorView::storedBytes)
            .sum();
    Stored first = sharers.getFirst();
    return new SharedBasis(
        basis.name(),
        first.factors().sharing() instanceof Sharing.OfA ? "output" : "input",
        sharers.stream().map(Stored::module).toList(),
        first.rank(),
        known ? Double.valueOf(largest) : null,
        before,
        after);
  }

  /** Of the bytes of a whole matrix, those of a part of it. */
  private static long share(long bytes, Stored sharer, LowRank lowRank) {
    if (sharer.part().isPresent()
        && lowRank.modules().get(sharer.whole()) instanceof LowRank.Split split) {
      return Math.multiplyExact(bytes, sharer.part().get().slice().size()) / split.size();
    }
    return bytes;
  }
}
