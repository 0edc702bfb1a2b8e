package dev.smelt.gpu.plain;

import dev.smelt.formats.Shape;
import dev.smelt.gpu.plain.TinyModel.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * A tiny model some of whose tensors are stored as random factors or in parts, and what the dense
 * ones are, by the definition.
 */
public final class Compressed {

  private static final int RANK = 3;

  /**
   * Rows of a dense tensor [out, in], listed one by one.
   *
   * @param module that holds them
   */
  @SuppressWarnings("ArrayRecordComponent") // compared by no one
  private record Piece(String module, int[] rows, boolean dense) {}

  private final Random random = new Random(77);
  private final TinyModel dense;
  private final Map<String, List<Piece>> pieces = new LinkedHashMap<>();
  private final Map<String, Object> entries = new LinkedHashMap<>();
  private final boolean transposed;
  private TinyModel stored;

  private Compressed(TinyModel dense) {
    this.dense = dense;
    this.stored = dense;
    this.transposed = "gpt2".equals(dense.config("model_type", ""));
  }

  public TinyModel stored() {
    return stored;
  }

  /** These tables and convolutions as factors. */
  public static Compressed factors(TinyModel dense, String... modules) {
    Compressed made = new Compressed(dense);
    for (String module : modules) {
      Shape shape = dense.tensor(module + ".weight").shape();
      int out = (int) shape.size(0);
      int[] rows = new int[out];
      for (int i = 0; i < out; i++) {
        rows[i] = i;
      }
      made.pieces.put(module, List.of(new Piece(module, rows, false)));
      made.stored = made.stored.without(module + ".weight");
      made.addFactors(module, shape, out);
      if (dense.has(module + ".bias")) {
        made.stored =
            made.stored
                .without(module + ".bias")
                .withTensor(module + ".ALinear.bias", dense.tensor(module + ".bias"));
      }
    }
    return made;
  }

  /**
   * Every fused matrix of GPT-2, Phi-3 or GPT-NeoX in parts, the second of which is dense.
   *
   * @param reversed lists the parts from the last to the first
   */
  public static Compressed parts(TinyModel dense, boolean reversed) {
    Compressed made = new Compressed(dense);
    for (String name : dense.tensors().keySet()) {
      String module = name.replaceFirst("\\.weight$", "");
      String last = module.substring(module.lastIndexOf('.') + 1);
      switch (name.endsWith(".weight") ? last : "") {
        case "c_attn" -> made.split(module, reversed, "q 0 8 8 1", "k 8 8 8 1", "v 16 8 8 1");
        case "qkv_proj" -> made.split(module, reversed, "q 0 16 16 1", "k 16 8 8 1", "v 24 8 8 1");
        case "gate_up_proj" -> made.split(module, reversed, "gate 0 6 6 1", "up 6 6 6 1");
        case "query_key_value" ->
            made.split(module, reversed, "q 0 4 12 2", "k 4 4 12 2", "v 8 4 12 2");
        default -> {}
      }
    }
    made.stored = made.stored.withConfig("low_rank_modules", made.entries);
    return made;
  }

  /**
   * @param parts name, first, count, stride and groups of each
   */
  private void split(String module, boolean reversed, String... parts) {
    Tensor whole = dense.tensor(module + ".weight");
    int in = (int) whole.shape().size(transposed ? 0 : 1);
    List<Piece> list = new ArrayList<>();
    List<Object> entry = new ArrayList<>();
    stored = stored.without(module + ".weight");
    for (String part : reversed ? List.of(parts).reversed() : List.of(parts)) {
      String[] words = part.split(" ", -1);
      List<Integer> numbers = new ArrayList<>();
      for (int i = 1; i < words.length; i++) {
        numbers.add(Integer.valueOf(words[i]));
      }
      List<Integer> rows = new ArrayList<>();
      for (int group = 0; group < numbers.get(3); group++) {
        for (int i = 0; i < numbers.get(1); i++) {
          rows.add(group * numbers.get(2) + numbers.get(0) + i);
        }
      }
      String name = module + "." + words[0];
      boolean isDense = list.size() == 1;
      list.add(new Piece(name, rows.stream().mapToInt(row -> row).toArray(), isDense));
      Map<String, Object> described = new LinkedHashMap<>();
      described.put("name", words[0]);
      described.put("rows", numbers);
      if (isDense) {
        stored = stored.withTensor(name + ".weight", TinyModels.random(random, rows.size(), in));
      } else {
        described.put("rank", RANK);
        addFactors(name, Shape.of(rows.size(), in), rows.size());
      }
      entry.add(described);
    }
    pieces.put(module, list);
    entries.put(
        module, transposed ? Map.of("parts", entry, "transposed", true) : Map.of("parts", entry));
  }

  private void addFactors(String module, Shape shape, int out) {
    long[] sizes = shape.sizes().toArray();
    sizes[0] = RANK;
    long[] ones = shape.sizes().map(size -> 1).toArray();
    ones[0] = out;
    ones[1] = RANK;
    stored =
        stored
            .withTensor(module + ".BLinear.weight", TinyModels.random(random, sizes))
            .withTensor(module + ".ALinear.weight", TinyModels.random(random, ones));
  }

  /** The dense model of this one with other values of what is stored. */
  public TinyModel dense(TinyModel changed) {
    TinyModel model = changed;
    for (Map.Entry<String, List<Piece>> entry : pieces.entrySet()) {
      String module = entry.getKey();
      Shape shape = dense.tensor(module + ".weight").shape();
      boolean turned = transposed && entry.getValue().size() > 1;
      int out = (int) shape.size(turned ? 1 : 0);
      int in = (int) shape.elements() / out;
      double[] w = new double[out * in];
      for (Piece piece : entry.getValue()) {
        for (int i = 0; i < piece.rows().length; i++) {
          for (int j = 0; j < in; j++) {
            int row = piece.rows()[i];
            w[turned ? j * out + row : row * in + j] = element(changed, piece, i, j, in);
          }
        }
        model = without(model, piece.module());
      }
      model = model.withTensor(module + ".weight", new Tensor(shape, w));
      if (dense.has(module + ".bias")) {
        String bias = changed.has(module + ".bias") ? ".bias" : ".ALinear.bias";
        model = model.withTensor(module + ".bias", changed.tensor(module + bias));
      }
    }
    return model;
  }

  private static TinyModel without(TinyModel model, String module) {
    return model
        .without(module + ".weight")
        .without(module + ".ALinear.weight")
        .without(module + ".BLinear.weight")
        .without(module + ".ALinear.bias");
  }

  private static double element(TinyModel model, Piece piece, int i, int j, int in) {
    if (piece.dense()) {
      return model.tensor(piece.module() + ".weight").values()[i * in + j];
    }
    double[] a = model.tensor(piece.module() + ".ALinear.weight").values();
    double[] b = model.tensor(piece.module() + ".BLinear.weight").values();
    double sum = 0;
    for (int k = 0; k < RANK; k++) {
      sum += a[i * RANK + k] * b[k * in + j];
    }
    return sum;
  }
}
