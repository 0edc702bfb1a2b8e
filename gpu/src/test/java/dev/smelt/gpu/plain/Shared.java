package dev.smelt.gpu.plain;

import dev.smelt.formats.Shape;
import dev.smelt.gpu.plain.TinyModel.Tensor;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.Set;

/**
 * A tiny model some of whose matrices, tables and kernels are random factors with a basis in
 * common, or such a change of what the model has, and what the dense ones are, by the definition.
 */
public final class Shared {

  private static final int RANK = 3;

  /**
   * @param a name of A's tensor, of the matrix [out, in]
   * @param b name of B's tensor
   */
  private record Names(String a, String b, boolean transposed) {}

  private final Random random = new Random(55);
  private final TinyModel dense;
  private final Map<String, Names> modules = new LinkedHashMap<>();
  private final Set<String> changes = new HashSet<>();
  private final Map<String, Map<String, Object>> entries = new LinkedHashMap<>();
  private TinyModel stored;

  public Shared(TinyModel dense) {
    this.dense = dense;
    this.stored = dense;
  }

  /** These have the A of that basis in common. */
  public Shared a(int basis, String... sharers) {
    for (String module : sharers) {
      add(module, Map.of("A", name(basis)), new Names(name(basis), ownB(module), turned(module)));
    }
    return this;
  }

  /** These have the B of that basis in common. */
  public Shared b(int basis, String... sharers) {
    for (String module : sharers) {
      add(module, Map.of("B", name(basis)), new Names(ownA(module), name(basis), turned(module)));
    }
    return this;
  }

  /** These have both factors to themselves. */
  public Shared own(String... alone) {
    for (String module : alone) {
      add(module, Map.of(), new Names(ownA(module), ownB(module), turned(module)));
    }
    return this;
  }

  /** The products of these, which have factors by now, are changes of what the model has. */
  public Shared delta(String... changed) {
    for (String module : changed) {
      changes.add(module);
      Map<String, Object> entry = new LinkedHashMap<>(entries.getOrDefault(module, Map.of()));
      entry.put("delta", true);
      entries.put(module, entry);
      stored = stored.withTensor(module + ".weight", dense.tensor(module + ".weight"));
      if (dense.has(module + ".bias")) {
        stored =
            stored
                .without(module + ".ALinear.bias")
                .withTensor(module + ".bias", dense.tensor(module + ".bias"));
      }
    }
    return this;
  }

  private static String ownA(String module) {
    return module + ".ALinear.weight";
  }

  private static String ownB(String module) {
    return module + ".BLinear.weight";
  }

  private static String name(int basis) {
    return "smelt.basis." + basis;
  }

  /** GPT-2 stores the matrices of its blocks [in, out]. */
  private static boolean turned(String module) {
    return module.startsWith("transformer.h.");
  }

  private void add(String module, Map<String, Object> shared, Names names) {
    modules.put(module, names);
    Map<String, Object> entry = new LinkedHashMap<>(shared);
    entry.put("rank", RANK);
    if (names.transposed()) {
      entry.put("transposed", true);
    }
    entries.put(module, entry);
    Shape shape = dense.tensor(module + ".weight").shape();
    long[] ofB = shape.sizes().toArray();
    long out = ofB[names.transposed() ? 1 : 0];
    if (names.transposed()) {
      ofB[1] = ofB[0];
    }
    ofB[0] = RANK;
    long[] ofA = shape.sizes().map(size -> 1).toArray();
    ofA[0] = out;
    ofA[1] = RANK;
    stored = stored.without(module + ".weight");
    if (!stored.has(names.a())) {
      stored = stored.withTensor(names.a(), TinyModels.random(random, ofA));
    }
    if (!stored.has(names.b())) {
      stored = stored.withTensor(names.b(), TinyModels.random(random, ofB));
    }
    if (dense.has(module + ".bias")) {
      stored =
          stored
              .without(module + ".bias")
              .withTensor(module + ".ALinear.bias", dense.tensor(module + ".bias"));
    }
  }

  public TinyModel stored() {
    return stored.withConfig("low_rank_modules", entries);
  }

  /** The dense model of this one with other values of what is stored. */
  public TinyModel dense(TinyModel changed) {
    TinyModel model = changed.withoutConfig("low_rank_modules");
    for (Map.Entry<String, Names> entry : modules.entrySet()) {
      String module = entry.getKey();
      Names names = entry.getValue();
      double[] w = product(changed, names);
      boolean delta = changes.contains(module);
      if (delta) {
        double[] base = changed.tensor(module + ".weight").values();
        for (int i = 0; i < w.length; i++) {
          w[i] += base[i];
        }
      }
      model =
          model
              .without(names.a())
              .without(names.b())
              .without(module + ".ALinear.bias")
              .withTensor(
                  module + ".weight", new Tensor(dense.tensor(module + ".weight").shape(), w));
      if (dense.has(module + ".bias") && !delta) {
        model = model.withTensor(module + ".bias", changed.tensor(module + ".ALinear.bias"));
      }
    }
    return model;
  }

  private static double[] product(TinyModel model, Names names) {
    double[] a = model.tensor(names.a()).values();
    double[] b = model.tensor(names.b()).values();
    int out = a.length / RANK;
    int in = b.length / RANK;
    double[] w = new double[out * in];
    for (int i = 0; i < out; i++) {
      for (int j = 0; j < in; j++) {
        double sum = 0;
        for (int k = 0; k < RANK; k++) {
          sum += a[i * RANK + k] * b[k * in + j];
        }
        w[names.transposed() ? j * out + i : i * in + j] = sum;
      }
    }
    return w;
  }
}
