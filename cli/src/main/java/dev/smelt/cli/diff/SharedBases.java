package dev.smelt.cli.diff;

import dev.smelt.cli.report.DiffReport.SharedBasis;
import dev.smelt.cli.report.DiffReport.TensorDiff;
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
    List<SharedBasis> shared = new ArrayList<>();
    lowRank
        .bases()
        .forEach(
            (basis, members) -> shared.add(shared(checkpoint, lowRank, basis, members, compared)));
    return shared;
  }

  private static SharedBasis shared(
      Checkpoint checkpoint,
      LowRank lowRank,
      Basis basis,
      List<String> members,
      Map<String, TensorDiff> compared) {
    Set<String> stored = new HashSet<>();
    double largest = 0;
    boolean known = true;
    long before = 0;
    int rank = 0;
    String side = "";
    for (String member : members) {
      if (lowRank.modules().get(member) instanceof LowRank.Module module) {
        stored.add(module.nameOfA(member));
        stored.add(module.nameOfB(member));
        if (module.delta()) {
          stored.add(LowRank.denseWeight(member));
        }
        rank = module.rank();
        side = module.sharing() instanceof Sharing.OfA ? "output" : "input";
      }
      TensorDiff tensor = compared.get(member + ".weight");
      Double error = tensor == null ? null : tensor.relativeError();
      known &= error != null;
      largest = error == null ? largest : Math.max(largest, error);
      before += tensor == null ? 0 : tensor.bytesBefore();
    }
    long after =
        stored.stream()
            .map(checkpoint::tensor)
            .map(TensorView::info)
            .mapToLong(i -> i.bytes())
            .sum();
    return new SharedBasis(
        basis.name(), side, members, rank, known ? Double.valueOf(largest) : null, before, after);
  }
}
