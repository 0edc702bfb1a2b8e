package dev.smelt.formats.model;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.Json;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.TensorView;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SequencedMap;
import java.util.Set;
import java.util.SortedMap;
import java.util.regex.Pattern;

/**
 * Which modules of a checkpoint are stored as two factors, W = A·B: the ABLinear naming.
 *
 * <table>
 * <caption>Tensors of a factorised module</caption>
 * <tr><th>name</th><th>shape</th></tr>
 * <tr><td>{@code <module>.BLinear.weight}</td><td>[r, in]</td></tr>
 * <tr><td>{@code <module>.ALinear.weight}</td><td>[out, r]</td></tr>
 * <tr><td>{@code <module>.ALinear.bias}</td><td>[out], where the module had a bias</td></tr>
 * </table>
 *
 * <p>Modules may share a factor, A or B, that is stored once as {@code smelt.basis.<k>}: a {@link
 * Basis}. Each has the other factor to itself.
 *
 * <p>A factor or basis may be I8, with the scales of its rows in {@code <factor>_scale}: see {@link
 * #factor}.
 *
 * <p>A module may be stored as a change of a matrix, W = W₀ + A·B. W₀ is then the tensor {@code
 * <module>.weight}, in the orientation of the dense model, and the bias stays {@code
 * <module>.bias}.
 *
 * <p>A matrix may be stored in parts, which are rows of it or columns. Each is a module of its own,
 * {@code <module>.<part>}, with factors or a weight [out, in] of the part, and without a bias: that
 * of the whole stays {@code <module>.bias}.
 *
 * <p>config.json lists the modules under {@code low_rank_modules}; a weights file without a config
 * carries the same object as a string in its header.
 */
public record LowRank(SequencedMap<String, Entry> modules) {

  static final String SCHEMA = "low_rank_schema";
  static final String SCHEMA_NAME = "ABLinear";
  static final String VERSION = "low_rank_format_version";
  static final int FORMAT_VERSION = 1;
  static final String MODULES = "low_rank_modules";
  static final String SHARED_A = "A";
  static final String SHARED_B = "B";
  static final String DELTA = "delta";
  private static final String SCALE = "_scale";
  private static final String METHOD = "low_rank_method";
  private static final String SCALED = "low_rank_int8";
  private static final String RANKS = "truncation_ranks";

  /** How a module is stored. */
  public sealed interface Entry {

    /**
     * True when the dense matrix is stored [in, out], as GPT-2's Conv1D does; what stands for it is
     * always of the [out, in] matrix.
     */
    boolean transposed();

    /**
     * The name under which the module's bias is stored, where it has one.
     *
     * @param module the name of this one
     */
    String nameOfBias(String module);
  }

  /**
   * As two factors.
   *
   * @param rank r, the columns of A and rows of B
   * @param sharing which of them is stored elsewhere
   * @param delta whether they are a change of a matrix that is stored as well, W = W₀ + A·B; else W
   *     = A·B
   */
  public record Module(int rank, boolean transposed, Sharing sharing, boolean delta)
      implements Entry {

    /**
     * @throws IllegalArgumentException when there is no such rank
     */
    public Module {
      requireRank(rank);
    }

    /** Without a matrix that they change. */
    public Module(int rank, boolean transposed, Sharing sharing) {
      this(rank, transposed, sharing, false);
    }

    /** With two factors of its own, likewise. */
    public Module(int rank, boolean transposed) {
      this(rank, transposed, new Sharing.None());
    }

    /**
     * The name of A's tensor.
     *
     * @param module the name of this one
     */
    public String nameOfA(String module) {
      return sharing instanceof Sharing.OfA(Basis basis) ? basis.name() : factorA(module);
    }

    /**
     * The name of B's tensor.
     *
     * @param module the name of this one
     */
    public String nameOfB(String module) {
      return sharing instanceof Sharing.OfB(Basis basis) ? basis.name() : factorB(module);
    }

    @Override
    public String nameOfBias(String module) {
      return delta ? denseBias(module) : bias(module);
    }
  }

  /**
   * As several matrices, at least one of them as factors.
   *
   * @param parts which have every row of the whole once, or every column
   */
  public record Split(List<Part> parts, boolean transposed) implements Entry {

    /**
     * @throws IllegalArgumentException when the parts make no matrix
     */
    public Split {
      parts = List.copyOf(parts);
      Set<String> names = new HashSet<>();
      parts.forEach(part -> require(names.add(part.name()), "two parts named " + part.name()));
      require(parts.size() > 1, "expected two parts or more, found " + parts.size());
      require(parts.stream().anyMatch(part -> part.rank().isPresent()), "no part has a rank");
      Slice.requireEachOnce(parts.stream().map(Part::slice).toList());
    }

    @Override
    public String nameOfBias(String module) {
      return denseBias(module);
    }

    /** Whether the parts are rows of the whole or columns. */
    public Axis axis() {
      return parts.getFirst().slice().axis();
    }

    /** Rows of the whole, or columns. */
    public int size() {
      return parts.stream().mapToInt(part -> part.slice().size()).sum();
    }
  }

  /**
   * @param name of the part, without that of its module
   * @param slice of the whole matrix that is the part's
   * @param rank of its factors; empty where it stays dense
   * @param sharing which of its factors is stored elsewhere
   */
  public record Part(String name, Slice slice, OptionalInt rank, Sharing sharing) {

    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_]{1,64}");

    /** Names of tensors and factors beside which a part's would be ambiguous. */
    private static final Set<String> TAKEN = Set.of("weight", "bias", "ALinear", "BLinear");

    /**
     * @throws IllegalArgumentException when name or rank are none
     */
    public Part {
      require(NAME.matcher(name).matches() && !TAKEN.contains(name), "no name of a part: " + name);
      rank.ifPresent(LowRank::requireRank);
      require(
          rank.isPresent() || sharing.shared().isEmpty(),
          "part " + name + " shares a factor and has no rank");
    }

    /** Dense, or with two factors of its own. */
    public Part(String name, Slice slice, OptionalInt rank) {
      this(name, slice, rank, new Sharing.None());
    }

    /**
     * As a module of its own; empty where it stays dense.
     *
     * @param transposed whether the whole is stored [in, out]
     */
    public Optional<Module> factors(boolean transposed) {
      return rank.stream().mapToObj(r -> new Module(r, transposed, sharing)).findFirst();
    }
  }

  /**
   * @throws IllegalArgumentException when a part is listed as a module of its own as well, or
   *     modules say different things of a basis
   */
  public LowRank {
    modules = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(modules));
    for (Map.Entry<String, Entry> entry : modules.entrySet()) {
      if (entry.getValue() instanceof Split split) {
        for (Part part : split.parts()) {
          String module = part(entry.getKey(), part.name());
          require(!modules.containsKey(module), module + " is listed as part and as module");
        }
      }
    }
    Optional<String> contradiction = SharedBases.contradiction(pairs(modules));
    require(contradiction.isEmpty(), contradiction.orElse(""));
  }

  /** The name of A where a module has it to itself. */
  public static String factorA(String module) {
    return module + ".ALinear.weight";
  }

  /** The name of B where a module has it to itself. */
  public static String factorB(String module) {
    return module + ".BLinear.weight";
  }

  /** The name of the scales of a factor or basis of integers. */
  public static String scaleOf(String factor) {
    return factor + SCALE;
  }

  /** The name of what scales of that name would be of; other names as they are. */
  static String withoutScale(String name) {
    return name.endsWith(SCALE) ? name.substring(0, name.length() - SCALE.length()) : name;
  }

  /**
   * A factor or a basis as real numbers: floats as they are stored, integers with their scales.
   *
   * @throws NotFoundException when it is missing, or integers have no scales
   * @throws CorruptException when scales do not fit
   * @throws dev.smelt.formats.NonFiniteException when a scale is a NaN or an infinity
   */
  public static TensorView factor(Checkpoint checkpoint, String name) {
    return ScaledFactor.of(checkpoint, checkpoint.tensor(name));
  }

  /** Any tensor, if it is there: one named like a factor or a basis as {@link #factor} has it. */
  public static Optional<TensorView> find(Checkpoint checkpoint, String name) {
    boolean factor =
        name.endsWith(factorA("")) || name.endsWith(factorB("")) || Basis.named(name).isPresent();
    Optional<TensorView> stored = checkpoint.find(name);
    return factor ? stored.map(one -> ScaledFactor.of(checkpoint, one)) : stored;
  }

  /** The name of the bias where factors stand in place of the matrix. */
  public static String bias(String module) {
    return module + ".ALinear.bias";
  }

  /** The name that a module's bias has in the dense model. */
  public static String denseBias(String module) {
    return module + ".bias";
  }

  /** The name that a module's matrix has in the dense model. */
  public static String denseWeight(String module) {
    return module + ".weight";
  }

  /** The module that a part of one is. */
  public static String part(String module, String name) {
    return module + "." + name;
  }

  /** The factorised modules of a checkpoint, by name; none when it is dense. */
  public static LowRank of(Checkpoint checkpoint) {
    if (checkpoint.config().isPresent()) {
      ModelConfig config = checkpoint.config().get();
      LowRankParser.requireKnownSchema(config);
      return LowRankParser.parse(config.get(MODULES), config.where());
    }
    String header = checkpoint.metadata().get(MODULES);
    String where = checkpoint.path().toString();
    return header == null
        ? new LowRank(new LinkedHashMap<>())
        : LowRankParser.parse(Json.parse(header.getBytes(StandardCharsets.UTF_8), where), where);
  }

  /**
   * All pairs of factors in the order of the list, by the names of the modules that hold them; of a
   * matrix in parts each part's, which is a module of its own.
   */
  public SequencedMap<String, Module> pairs() {
    return pairs(modules);
  }

  private static SequencedMap<String, Module> pairs(Map<String, Entry> modules) {
    SequencedMap<String, Module> pairs = new LinkedHashMap<>();
    modules.forEach(
        (name, entry) -> {
          switch (entry) {
            case Module module -> pairs.put(name, module);
            case Split split ->
                split
                    .parts()
                    .forEach(
                        part ->
                            part.factors(split.transposed())
                                .ifPresent(own -> pairs.put(part(name, part.name()), own)));
          }
        });
    return Collections.unmodifiableSequencedMap(pairs);
  }

  /** The bases that modules share, each with its modules in the order of the list. */
  public SortedMap<Basis, List<String>> bases() {
    return Collections.unmodifiableSortedMap(SharedBases.of(pairs()));
  }

  /**
   * The bases of a checkpoint are those that this list names, no more and no less.
   *
   * @throws NotFoundException when a basis that modules name is missing
   * @throws CorruptException when there is a basis that no module names
   */
  public void requireBases(Checkpoint checkpoint) {
    SharedBases.requireExactly(bases(), checkpoint);
  }

  /**
   * @throws MismatchException when modules of the checkpoint are stored as factors
   */
  public static void requireDense(Checkpoint checkpoint) {
    LowRank found = of(checkpoint);
    found.requireBases(checkpoint);
    if (!found.modules().isEmpty()) {
      throw new MismatchException(
          "factorized checkpoint",
          checkpoint.path().toString(),
          "expected dense matrices",
          "run smelt expand on it first");
    }
  }

  /** The config of the factorised model. */
  public ModelConfig describe(ModelConfig dense, String method) {
    Map<String, Object> ranks = new LinkedHashMap<>();
    pairs().forEach((name, module) -> ranks.put(name, module.rank()));
    return dense
        .with(SCHEMA, SCHEMA_NAME)
        .with(VERSION, FORMAT_VERSION)
        .with(METHOD, method)
        .with(MODULES, LowRankWriter.write(modules))
        .with(RANKS, ranks);
  }

  /**
   * The config of the factorised model with a list of its factors of integers, for readers who make
   * a network before they see its tensors.
   *
   * @param names of tensors; where there are none the config stays as it is
   */
  public static ModelConfig withScaled(ModelConfig lowRank, List<String> names) {
    return names.isEmpty() ? lowRank : lowRank.with(SCALED, names);
  }

  /** The config of the dense model again. */
  public static ModelConfig undescribe(ModelConfig lowRank) {
    return lowRank.without(SCHEMA, VERSION, METHOD, MODULES, RANKS, SCALED);
  }

  /** For a weights file that has no config beside it. */
  public Map<String, String> headerMetadata() {
    return Map.of(MODULES, Json.writeCompact(LowRankWriter.write(modules)));
  }

  private static void requireRank(int rank) {
    require(rank >= 1, "expected a rank r >= 1, found " + rank);
  }

  private static void require(boolean holds, String otherwise) {
    if (!holds) {
      throw new IllegalArgumentException(otherwise);
    }
  }
}
