package dev.smelt.formats.model;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.TensorInfo;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/** Bases as the list of modules names them, held against each other and against the tensors. */
final class SharedBases {

  private SharedBases() {}

  /**
   * The modules of each basis, in the order of the list.
   *
   * @param pairs all factors, by module
   */
  static SortedMap<Basis, List<String>> of(Map<String, LowRank.Module> pairs) {
    SortedMap<Basis, List<String>> bases = new TreeMap<>();
    pairs.forEach(
        (name, module) ->
            module
                .sharing()
                .shared()
                .ifPresent(
                    basis -> bases.computeIfAbsent(basis, key -> new ArrayList<>()).add(name)));
    return bases;
  }

  /**
   * What is wrong with the list by itself: modules of one basis must have its rank, and use it as
   * the same factor.
   */
  static Optional<String> contradiction(Map<String, LowRank.Module> pairs) {
    Map<Basis, Map.Entry<String, LowRank.Module>> firsts = new TreeMap<>();
    for (Map.Entry<String, LowRank.Module> entry : pairs.entrySet()) {
      LowRank.Module module = entry.getValue();
      Optional<Basis> basis = module.sharing().shared();
      if (basis.isEmpty()) {
        continue;
      }
      Map.Entry<String, LowRank.Module> first = firsts.putIfAbsent(basis.get(), entry);
      if (first != null
          && (first.getValue().rank() != module.rank()
              || !first.getValue().sharing().equals(module.sharing()))) {
        return Optional.of(
            String.format(
                "%s is %s of %s and %s of %s",
                basis.get(),
                describe(first.getValue()),
                first.getKey(),
                describe(module),
                entry.getKey()));
      }
    }
    return Optional.empty();
  }

  private static String describe(LowRank.Module module) {
    String factor = module.sharing() instanceof Sharing.OfA ? "A" : "B";
    return factor + " with rank " + module.rank();
  }

  /**
   * @throws NotFoundException when a basis that modules name is missing
   * @throws CorruptException when there is a basis that no module names
   */
  static void requireExactly(SortedMap<Basis, List<String>> bases, Checkpoint checkpoint) {
    for (Map.Entry<Basis, List<String>> entry : bases.entrySet()) {
      if (checkpoint.find(entry.getKey().name()).isEmpty()) {
        throw new NotFoundException(
            "basis missing",
            checkpoint.path().toString(),
            "expected '" + entry.getKey() + "' for " + String.join(", ", entry.getValue()),
            "make the checkpoint again");
      }
    }
    for (TensorInfo tensor : checkpoint.infos()) {
      String name = tensor.name();
      if (!Basis.isReserved(name)) {
        continue;
      }
      Optional<Basis> basis = Basis.heldBy(name);
      if (basis.isEmpty() || !bases.containsKey(basis.get())) {
        throw new CorruptException(
            "basis that no module uses",
            checkpoint.path() + "|" + name,
            basis.isEmpty()
                ? "expected smelt.basis.<number>"
                : "expected a module under low_rank_modules that names it",
            "add it or make the checkpoint again");
      }
    }
  }
}
