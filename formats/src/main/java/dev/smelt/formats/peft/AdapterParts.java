package dev.smelt.formats.peft;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.peft.AdapterNames.Part;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;

/** The tensors of an adapter, sorted by what they are. */
record AdapterParts(
    SequencedMap<String, AdapterFactors> factors,
    SequencedMap<String, TensorView> full,
    SequencedMap<String, TensorView> biases) {

  static AdapterParts of(Checkpoint weights, AdapterConfig config) {
    String where = weights.path().toString();
    SequencedMap<String, Pair> pairs = new LinkedHashMap<>();
    AdapterParts parts =
        new AdapterParts(new LinkedHashMap<>(), new LinkedHashMap<>(), new LinkedHashMap<>());
    for (TensorView tensor : weights.tensors()) {
      requireFloats(tensor, where);
      switch (AdapterNames.parse(tensor.name(), where)) {
        case Part.Factor factor ->
            pairs.computeIfAbsent(factor.module(), Pair::new).put(factor, tensor, where);
        case Part.FactorBias(String module) -> parts.biases.put(module, tensor);
        case Part.Full(String name) -> {
          if (parts.full.put(name, tensor) != null) {
            throw new CorruptException("tensor twice in an adapter", where + "|" + name, "", "");
          }
        }
      }
    }
    for (Pair pair : pairs.sequencedValues()) {
      parts.factors.put(pair.module, pair.toFactors(config, where));
    }
    for (String module : parts.biases.keySet()) {
      if (!config.biasOfFactors() || !parts.factors.containsKey(module)) {
        throw new CorruptException(
            "bias of factors that are not there",
            where + "|" + module,
            "expected lora_bias and factors of the module",
            "");
      }
    }
    return parts;
  }

  private static void requireFloats(TensorView tensor, String where) {
    if (!tensor.dtype().isFloat()) {
      throw new UnsupportedException(
          "adapter tensor of the wrong type",
          where + "|" + tensor.name(),
          "expected floating point, found " + tensor.dtype().label(),
          "merge it into its base with PEFT and use the result");
    }
  }

  /** A and B while they are being found. */
  private static final class Pair {
    private final String module;
    private final Map<Boolean, TensorView> byIsA = new LinkedHashMap<>();
    private boolean table;

    Pair(String module) {
      this.module = module;
    }

    void put(Part.Factor factor, TensorView tensor, String where) {
      boolean mixed = !byIsA.isEmpty() && table != factor.table();
      table = factor.table();
      if (byIsA.put(factor.isA(), tensor) != null || mixed) {
        throw new CorruptException(
            "more than two factors of a module",
            where + "|" + module,
            "found " + tensor.name(),
            "");
      }
    }

    AdapterFactors toFactors(AdapterConfig config, String where) {
      TensorView a = factor(true, where);
      TensorView b = factor(false, where);
      if (a.shape().rank() > 2 && a.shape().rank() == b.shape().rank()) {
        throw new UnsupportedException(
            "adapter of a convolution",
            where + "|" + module,
            "expected matrices, found factors " + a.shape() + " and " + b.shape(),
            "merge it into its base with PEFT and use the result");
      }
      int rank = config.rank(module);
      boolean fits =
          a.shape().isMatrix()
              && b.shape().isMatrix()
              && a.shape().size(0) == rank
              && b.shape().size(1) == rank
              && a.elements() > 0
              && b.elements() > 0;
      if (!fits) {
        throw new CorruptException(
            "factors do not fit their rank",
            where + "|" + module,
            String.format(
                "expected [%d,n] and [m,%d], found %s and %s", rank, rank, a.shape(), b.shape()),
            "compare r and rank_pattern in " + AdapterConfig.FILE);
      }
      return new AdapterFactors(module, a, b, config.scale(module), table);
    }

    private TensorView factor(boolean isA, String where) {
      TensorView found = byIsA.get(isA);
      if (found == null) {
        String missing =
            isA ? AdapterNames.factorA(module, table) : AdapterNames.factorB(module, table);
        throw new NotFoundException(
            "factor missing", where, "expected '" + missing + "'", "copy the adapter again");
      }
      return found;
    }
  }
}
