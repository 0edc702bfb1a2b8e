package dev.smelt.formats.model;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A dense tensor that a checkpoint stores as factors. Seen as a matrix W [out, in] it has pieces,
 * rows of it or columns: W_p = A_p·B_p, or W_p as it is. A convolution [out, in, kh, kw] is the
 * matrix [out, in·kh·kw], its factors convolutions [r, in, kh, kw] and [out, r, 1, 1]. One factor
 * of a product may be a {@link Basis}, which other products are made of, too. Pieces may also be
 * those of a change W − W₀, beside a W₀ that is stored.
 *
 * @param info name, type and shape of the dense tensor. The type is W₀'s; without W₀ and of several
 *     types the widest, the first where they are as wide, A before B. Factors of integers count as
 *     of the type that the config names, F32 where it names none
 * @param transposed true when the dense matrix is stored [in, out]
 * @param base W₀, of the dense tensor's name, type and shape; absent where it is 0
 * @param pieces which have every row of W − W₀ once, or every column; a single one has them all
 */
public record FactoredTensor(
    TensorInfo info, boolean transposed, Optional<TensorView> base, List<Piece> pieces) {

  /** Some rows of W, or some columns. */
  public sealed interface Piece {

    Slice slice();

    /** The matrices that it is made of. */
    List<TensorView> matrices();

    /** The tensors that hold it: its matrices, each with its scales where it has them. */
    default List<TensorView> tensors() {
      return matrices().stream().flatMap(view -> view.stored().stream()).toList();
    }
  }

  /**
   * W_p = A·B.
   *
   * @param a [out, r], perhaps with further axes of 1; floats, or integers with scales
   * @param b [r, in], or [r, in, kh, kw]; likewise
   */
  public record Product(Slice slice, TensorView a, TensorView b) implements Piece {

    @Override
    public List<TensorView> matrices() {
      return List.of(a, b);
    }

    public int rank() {
      return Math.toIntExact(b.shape().size(0));
    }
  }

  /** W_p [out, in]. */
  public record Plain(Slice slice, TensorView matrix) implements Piece {

    @Override
    public List<TensorView> matrices() {
      return List.of(matrix);
    }
  }

  public FactoredTensor {
    pieces = List.copyOf(pieces);
  }

  /** Without a W₀. */
  public FactoredTensor(TensorInfo info, boolean transposed, List<Piece> pieces) {
    this(info, transposed, Optional.empty(), pieces);
  }

  /**
   * All tensors that hold it, each once: W₀, where there is one, and then in the order of its
   * pieces.
   */
  public List<TensorView> tensors() {
    Map<String, TensorView> tensors = new LinkedHashMap<>();
    base.ifPresent(view -> tensors.put(view.name(), view));
    pieces.forEach(
        piece -> piece.tensors().forEach(view -> tensors.putIfAbsent(view.name(), view)));
    return List.copyOf(tensors.values());
  }

  /** Those that hold nothing else; at least one. */
  public List<TensorView> ownTensors() {
    return tensors().stream().filter(view -> Basis.heldBy(view.name()).isEmpty()).toList();
  }

  /** The bases among its factors and their scales, once for each piece that is made of them. */
  public List<TensorView> bases() {
    return pieces.stream()
        .flatMap(piece -> piece.tensors().stream())
        .filter(view -> Basis.heldBy(view.name()).isPresent())
        .toList();
  }

  /** Rank of its factors, where it is a single product. */
  public OptionalInt rank() {
    return pieces.size() == 1 && pieces.getFirst() instanceof Product product
        ? OptionalInt.of(product.rank())
        : OptionalInt.empty();
  }

  /** Rows of W. */
  public int out() {
    return Math.toIntExact(info.shape().size(transposed ? 1 : 0));
  }

  /** Columns of W. */
  public long in() {
    return info.elements() / out();
  }

  /**
   * What a checkpoint's list says, with the tensors that it names.
   *
   * @return in the order of the list
   * @throws NotFoundException when a tensor is missing
   * @throws CorruptException when tensors do not fit each other or the list
   */
  public static List<FactoredTensor> of(Checkpoint checkpoint) {
    List<FactoredTensor> found = new ArrayList<>();
    LowRank lowRank = LowRank.of(checkpoint);
    lowRank.requireBases(checkpoint);
    lowRank
        .modules()
        .forEach(
            (module, entry) ->
                found.add(
                    switch (entry) {
                      case LowRank.Module whole -> whole(checkpoint, module, whole);
                      case LowRank.Split split -> split(checkpoint, module, split);
                    }));
    return found;
  }

  private static FactoredTensor whole(Checkpoint checkpoint, String module, LowRank.Module entry) {
    TensorView a = LowRank.factor(checkpoint, entry.nameOfA(module));
    TensorView b = LowRank.factor(checkpoint, entry.nameOfB(module));
    String where = checkpoint.path() + "|" + module;
    requireFactors(a, b, entry.rank(), where);
    requireNoOther(checkpoint, module, entry);
    boolean matrix = b.shape().isMatrix();
    if (entry.transposed() && !matrix) {
      throw corrupt(where, "only a matrix can be transposed, found " + b.shape());
    }
    long out = a.shape().size(0);
    long[] dense = b.shape().sizes().toArray();
    dense[0] = out;
    Shape shape = entry.transposed() ? Shape.of(dense[1], out) : Shape.of(dense);
    String name = LowRank.denseWeight(module);
    Optional<TensorView> base =
        entry.delta() ? Optional.of(base(checkpoint, module, shape)) : Optional.empty();
    return new FactoredTensor(
        base.map(TensorView::info)
            .orElseGet(() -> new TensorInfo(name, widest(checkpoint, List.of(a, b)), shape)),
        entry.transposed(),
        base,
        List.of(new Product(Slice.range(Axis.OUTPUT, 0, Math.toIntExact(out)), a, b)));
  }

  /** The matrix that factors change. */
  private static TensorView base(Checkpoint checkpoint, String module, Shape shape) {
    TensorView base = checkpoint.tensor(LowRank.denseWeight(module));
    String where = checkpoint.path() + "|" + module;
    if (!base.dtype().isFloat() || !base.shape().equals(shape)) {
      throw corrupt(where, "expected floats " + shape + " to be changed, found " + describe(base));
    }
    String bias = LowRank.bias(module);
    if (checkpoint.find(bias).isPresent()) {
      throw corrupt(
          checkpoint.path() + "|" + bias,
          "expected the bias of a changed matrix as " + LowRank.denseBias(module));
    }
    return base;
  }

  /** The first of the widest types. */
  private static DType widest(Checkpoint checkpoint, List<TensorView> matrices) {
    DType widest = floatType(checkpoint, matrices.getFirst());
    for (TensorView matrix : matrices) {
      DType type = floatType(checkpoint, matrix);
      widest = type.bits() > widest.bits() ? type : widest;
    }
    return widest;
  }

  private static DType floatType(Checkpoint checkpoint, TensorView matrix) {
    return matrix.dtype().isFloat()
        ? matrix.dtype()
        : checkpoint.config().flatMap(ModelConfig::dtype).orElse(DType.F32);
  }

  /** A factor of the module's own beside the shared one: which is meant, nobody knows. */
  private static void requireNoOther(Checkpoint checkpoint, String module, LowRank.Module entry) {
    Optional<Basis> basis = entry.sharing().shared();
    String own =
        entry.sharing() instanceof Sharing.OfA ? LowRank.factorA(module) : LowRank.factorB(module);
    if (basis.isPresent() && checkpoint.find(own).isPresent()) {
      throw corrupt(
          checkpoint.path() + "|" + own,
          "expected only " + basis.get() + " in its place, found both");
    }
  }

  private static FactoredTensor split(Checkpoint checkpoint, String module, LowRank.Split entry) {
    List<Piece> pieces = new ArrayList<>();
    for (LowRank.Part part : entry.parts()) {
      pieces.add(piece(checkpoint, module, part, entry.transposed()));
    }
    boolean rows = entry.axis() == Axis.OUTPUT;
    long common = common(pieces.getFirst());
    for (Piece piece : pieces) {
      if (common(piece) != common) {
        throw corrupt(
            checkpoint.path() + "|" + module,
            String.format(
                "expected parts of %d %s, found %s",
                common, rows ? "inputs" : "outputs", describe(other(piece))));
      }
    }
    long out = rows ? entry.size() : common;
    long in = rows ? common : entry.size();
    Shape shape = entry.transposed() ? Shape.of(in, out) : Shape.of(out, in);
    DType dtype =
        widest(checkpoint, pieces.stream().flatMap(piece -> piece.matrices().stream()).toList());
    return new FactoredTensor(
        new TensorInfo(module + ".weight", dtype, shape), entry.transposed(), pieces);
  }

  /** The tensor of a piece that has all of the axis along which W is whole. */
  private static TensorView other(Piece piece) {
    boolean rows = piece.slice().axis() == Axis.OUTPUT;
    return rows ? piece.matrices().getLast() : piece.matrices().getFirst();
  }

  /** Its size along that axis. */
  private static long common(Piece piece) {
    return other(piece).shape().size(piece.slice().axis() == Axis.OUTPUT ? 1 : 0);
  }

  private static Piece piece(
      Checkpoint checkpoint, String whole, LowRank.Part part, boolean transposed) {
    String module = LowRank.part(whole, part.name());
    String where = checkpoint.path() + "|" + module;
    Slice slice = part.slice();
    boolean rows = slice.axis() == Axis.OUTPUT;
    if (part.rank().isEmpty()) {
      TensorView matrix = checkpoint.tensor(module + ".weight");
      boolean fits = matrix.shape().isMatrix() && matrix.elements() > 0;
      if (!matrix.dtype().isFloat() || !fits || matrix.shape().size(rows ? 0 : 1) != slice.size()) {
        String expected = rows ? slice.size() + ",in" : "out," + slice.size();
        throw corrupt(where, "expected floats [" + expected + "], found " + describe(matrix));
      }
      return new Plain(slice, matrix);
    }
    LowRank.Module entry = new LowRank.Module(part.rank().getAsInt(), transposed, part.sharing());
    TensorView a = LowRank.factor(checkpoint, entry.nameOfA(module));
    TensorView b = LowRank.factor(checkpoint, entry.nameOfB(module));
    requireFactors(a, b, entry.rank(), where);
    requireNoOther(checkpoint, module, entry);
    TensorView cut = rows ? a : b;
    if (!b.shape().isMatrix() || cut.shape().size(rows ? 0 : 1) != slice.size()) {
      throw corrupt(
          where,
          String.format(
              "expected a part of %d %s, found %s", slice.size(), slice.axis(), describe(cut)));
    }
    return new Product(slice, a, b);
  }

  private static void requireFactors(TensorView a, TensorView b, int rank, String where) {
    int axes = b.shape().rank();
    boolean fits =
        a.holdsReals()
            && b.holdsReals()
            && axes >= 2
            && a.shape().rank() == axes
            && a.shape().size(1) == rank
            && b.shape().size(0) == rank
            && a.shape().sizes().skip(2).allMatch(size -> size == 1)
            && a.elements() > 0
            && b.elements() > 0;
    if (!fits) {
      throw new CorruptException(
          "factors do not fit each other",
          where,
          String.format(
              "expected floats [out,%d] and [%d,in], found %s and %s",
              rank, rank, describe(a), describe(b)),
          "make the checkpoint again");
    }
  }

  private static String describe(TensorView view) {
    String described = view.dtype().label() + " " + view.shape();
    return Basis.named(view.name()).map(basis -> described + " in " + basis).orElse(described);
  }

  private static CorruptException corrupt(String where, String what) {
    return new CorruptException(
        "factors do not fit each other", where, what, "make the checkpoint again");
  }
}
