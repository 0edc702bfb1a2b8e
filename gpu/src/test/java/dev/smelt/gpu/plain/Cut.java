package dev.smelt.gpu.plain;

import dev.smelt.formats.Shape;
import dev.smelt.gpu.plain.TinyModel.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * A tiny model some of whose matrices are stored in parts, rows or columns of them, of random
 * values; factors of parts may be bases that they have in common. And what the dense matrices are,
 * by the definition.
 */
public final class Cut {

  private static final int RANK = 3;

  /**
   * @param indices rows of W [out, in], or columns, one by one
   * @param a name of A's tensor; of the part itself where it is dense
   * @param b name of B's tensor; empty where the part is dense
   */
  @SuppressWarnings("ArrayRecordComponent") // compared by no one
  private record Piece(boolean rows, int[] indices, String a, String b) {}

  private final Random random = new Random(66);
  private final TinyModel dense;
  private final Map<String, List<Piece>> pieces = new LinkedHashMap<>();
  private final Map<String, Object> entries = new LinkedHashMap<>();
  private TinyModel stored;

  public Cut(TinyModel dense) {
    this.dense = dense;
    this.stored = dense;
  }

  /** As {@link #columns}, into rows. */
  public Cut rows(String module, String... parts) {
    return cut(module, true, parts);
  }

  /**
   * @param parts first, count, stride and groups of each, and how it is stored: "dense", "own", or
   *     with its factor and number the basis that it has, "A7"
   */
  public Cut columns(String module, String... parts) {
    return cut(module, false, parts);
  }

  /** GPT-2 stores the matrices of its blocks [in, out]. */
  private static boolean turned(String module) {
    return module.startsWith("transformer.h.");
  }

  private Cut cut(String module, boolean rows, String... parts) {
    Shape shape = dense.tensor(module + ".weight").shape();
    int out = (int) shape.size(turned(module) ? 1 : 0);
    int in = (int) shape.size(turned(module) ? 0 : 1);
    stored = stored.without(module + ".weight");
    List<Object> described = new ArrayList<>();
    List<Piece> list = new ArrayList<>();
    for (String part : parts) {
      String[] words = part.split(" ", -1);
      List<Integer> numbers = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        numbers.add(Integer.valueOf(words[i]));
      }
      int[] indices = indices(numbers);
      String name = "p" + list.size();
      Map<String, Object> entry = new LinkedHashMap<>();
      entry.put("name", name);
      entry.put(rows ? "rows" : "columns", numbers);
      long height = rows ? indices.length : out;
      long width = rows ? in : indices.length;
      list.add(piece(module + "." + name, words[4], rows, indices, height, width, entry));
      described.add(entry);
    }
    pieces.put(module, list);
    Map<String, Object> entry = new LinkedHashMap<>(Map.of("parts", described));
    if (turned(module)) {
      entry.put("transposed", true);
    }
    entries.put(module, entry);
    return this;
  }

  private static int[] indices(List<Integer> numbers) {
    List<Integer> indices = new ArrayList<>();
    for (int group = 0; group < numbers.get(3); group++) {
      for (int i = 0; i < numbers.get(1); i++) {
        indices.add(group * numbers.get(2) + numbers.get(0) + i);
      }
    }
    return indices.stream().mapToInt(index -> index).toArray();
  }

  private Piece piece(
      String name,
      String form,
      boolean rows,
      int[] indices,
      long height,
      long width,
      Map<String, Object> entry) {
    if (form.equals("dense")) {
      add(name + ".weight", height, width);
      return new Piece(rows, indices, name + ".weight", "");
    }
    entry.put("rank", RANK);
    String a = name + ".ALinear.weight";
    String b = name + ".BLinear.weight";
    if (!form.equals("own")) {
      String factor = form.substring(0, 1);
      String basis = "smelt.basis." + form.substring(1);
      entry.put(factor, basis);
      a = factor.equals("A") ? basis : a;
      b = factor.equals("B") ? basis : b;
    }
    add(a, height, RANK);
    add(b, RANK, width);
    return new Piece(rows, indices, a, b);
  }

  private void add(String name, long... sizes) {
    if (!stored.has(name)) {
      stored = stored.withTensor(name, TinyModels.random(random, sizes));
    }
  }

  public TinyModel stored() {
    return stored.withConfig("low_rank_modules", entries);
  }

  /** The dense model of this one with other values of what is stored. */
  public TinyModel dense(TinyModel changed) {
    TinyModel model = changed.withoutConfig("low_rank_modules");
    for (Map.Entry<String, List<Piece>> entry : pieces.entrySet()) {
      String module = entry.getKey();
      Shape shape = dense.tensor(module + ".weight").shape();
      int in = (int) shape.size(turned(module) ? 0 : 1);
      int out = (int) shape.elements() / in;
      double[] w = new double[out * in];
      for (Piece piece : entry.getValue()) {
        int height = piece.rows() ? piece.indices().length : out;
        int width = piece.rows() ? in : piece.indices().length;
        for (int i = 0; i < height; i++) {
          for (int j = 0; j < width; j++) {
            int row = piece.rows() ? piece.indices()[i] : i;
            int column = piece.rows() ? j : piece.indices()[j];
            w[turned(module) ? column * out + row : row * in + column] =
                element(changed, piece, i, j, width);
          }
        }
        model = model.without(piece.a()).without(piece.b());
      }
      model = model.withTensor(module + ".weight", new Tensor(shape, w));
    }
    return model;
  }

  private static double element(TinyModel model, Piece piece, int i, int j, int width) {
    double[] a = model.tensor(piece.a()).values();
    if (piece.b().isEmpty()) {
      return a[i * width + j];
    }
    double[] b = model.tensor(piece.b()).values();
    double sum = 0;
    for (int k = 0; k < RANK; k++) {
      sum += a[i * RANK + k] * b[k * width + j];
    }
    return sum;
  }
}
