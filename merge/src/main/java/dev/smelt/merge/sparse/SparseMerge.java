package dev.smelt.merge.sparse;

import dev.smelt.formats.UsageException;
import dev.smelt.merge.mean.TaskArithmeticMerge;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Operand;
import dev.smelt.merge.method.Operands;
import dev.smelt.merge.method.Values;
import dev.smelt.merge.sparse.Blend.Divisor;
import dev.smelt.merge.sparse.Kind.Thinning;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.ToDoubleFunction;

/**
 * A base model and parts of what others changed of it, θ* = θ₀ + λ Σ wᵢδᵢ / d; its {@link Kind}
 * says which parts δᵢ of θᵢ − θ₀, and whether a model counts in an element only where wᵢδᵢ has the
 * sign of Σ wᵢδᵢ (where that is 0, the positive one).
 *
 * <p>Numbers of elements are rounded down, tensor by tensor; of changes of equal size those that
 * come first are kept, and nothing is where density·n &lt; 1. Where every density is 1 and signs
 * need not agree this is {@link TaskArithmeticMerge}.
 *
 * @param parts one per model, the base not counted
 * @param scale λ
 * @param normalize d is Σ wᵢ over the models that count in the element (1 where it is 0); otherwise
 *     1
 * @param rescale δᵢ at random: divide each element by the probability with which it is kept; δᵢ by
 *     size: scale it so that its Σ|δᵢ| is that of θᵢ − θ₀
 * @param seed of what is kept at random; without effect elsewhere
 */
public record SparseMerge(
    Kind kind, List<Part> parts, double scale, boolean normalize, boolean rescale, long seed)
    implements MergeMethod {

  private static final Map<Kind, MethodDescription> DESCRIPTIONS = new EnumMap<>(Kind.class);

  static {
    for (Kind kind : Kind.values()) {
      DESCRIPTIONS.put(kind, kind.describe());
    }
  }

  /**
   * What is taken of a model.
   *
   * @param weight w
   * @param density the share of its changes that is kept
   * @param margin with breadcrumbs gamma, the share that is left out as too large; with della
   *     epsilon, how far probabilities lie from the density at the ends of a row; else 0
   */
  public record Part(double weight, double density, double margin) {

    boolean isNothing() {
      return weight == 0 || density == 0;
    }
  }

  /** Of all kinds, in their order. */
  public static List<MethodDescription> descriptions() {
    return List.copyOf(DESCRIPTIONS.values());
  }

  /**
   * @throws UsageException when a probability were not between 0 and 1, or weights that sum to 0
   *     are to be normalised
   */
  public SparseMerge {
    parts = List.copyOf(parts);
    for (Part part : parts) {
      if (kind.thinning() == Thinning.RANDOM_BY_RANK) {
        requireProbabilities(part);
      }
    }
    if (normalize && !kind.agree() && total(parts).signum() == 0) {
      throw new UsageException("the weights sum to 0", "do not normalize them, or change them");
    }
  }

  private static void requireProbabilities(Part part) {
    BigDecimal density = BigDecimal.valueOf(part.density());
    BigDecimal epsilon = BigDecimal.valueOf(part.margin());
    boolean fits =
        density.compareTo(epsilon) > 0 && density.add(epsilon).compareTo(BigDecimal.ONE) < 0;
    if (!fits && part.density() != 0 && part.density() != 1) {
      throw new UsageException(
          "density "
              + part.density()
              + " with epsilon "
              + part.margin()
              + ": density - epsilon must be above 0 and density + epsilon below 1",
          "lower epsilon, or choose density 0 or 1");
    }
  }

  private static BigDecimal total(List<Part> parts) {
    return parts.stream()
        .map(part -> BigDecimal.valueOf(part.weight()))
        .reduce(BigDecimal.ZERO, BigDecimal::add);
  }

  static SparseMerge of(Kind kind, Values values) {
    List<Part> parts = new ArrayList<>();
    for (int i = 0; i < values.models(); i++) {
      double margin =
          switch (kind.thinning()) {
            case EXTREMES -> values.perModel("gamma").get(i);
            case RANDOM_BY_RANK -> values.perModel("epsilon").get(i);
            default -> 0;
          };
      parts.add(
          new Part(values.perModel("weight").get(i), values.perModel("density").get(i), margin));
    }
    return new SparseMerge(
        kind,
        parts,
        values.number("lambda"),
        values.flag("normalize"),
        values.flag("rescale"),
        kind.thinning().isRandom() ? values.whole("seed") : 0);
  }

  @Override
  public MethodDescription description() {
    return Objects.requireNonNull(DESCRIPTIONS.get(kind));
  }

  /**
   * @throws UsageException when there is another number of models
   */
  @Override
  public Prepared prepare(Context context) {
    if (context.models() - 1 != parts.size()) {
      throw new UsageException(
          parts.size() + " weights for " + (context.models() - 1) + " models beside the base",
          "give one per model, in order");
    }
    return new Prepared(arithmetic(context), parameters());
  }

  private Arithmetic arithmetic(Context context) {
    List<Part> some = parts.stream().filter(part -> part.weight() != 0).toList();
    boolean whole = some.stream().allMatch(part -> part.density() == 1);
    boolean contested = kind.agree() && some.size() > 1;
    if (scale == 0 || (whole && !contested)) {
      boolean divided = normalize && total(parts).signum() != 0;
      return new TaskArithmeticMerge(of(Part::weight), scale, divided)
          .prepare(context)
          .arithmetic();
    }
    Divisor divisor = normalize ? (kind.agree() ? Divisor.COUNTED : Divisor.ALL) : Divisor.ONE;
    Coefficients coefficients = Coefficients.of(of(Part::weight), of(this::divisor), scale);
    return new Arithmetic.OfTensors(
        tensor ->
            new Blend(
                coefficients,
                kind.agree(),
                divisor,
                keepsWhole() && coefficients.exactFor(tensor.theta()),
                thinner(tensor)));
  }

  /** Whether what is kept of an element is all of it, but for {@link #divisor}. */
  private boolean keepsWhole() {
    return !rescale || kind.thinning() == Thinning.RANDOM;
  }

  /** By which all is divided that is kept of a model. */
  private double divisor(Part part) {
    boolean byShare = kind.thinning() == Thinning.RANDOM && rescale && !part.isNothing();
    return byShare ? part.density() : 1;
  }

  private Thinner thinner(Operands tensor) {
    List<Keep> keeps = new ArrayList<>();
    for (int i = 0; i < parts.size(); i++) {
      keeps.add(keep(tensor, i));
    }
    return Keep.each(keeps);
  }

  private Keep keep(Operands tensor, int i) {
    Part part = parts.get(i);
    if (part.isNothing()) {
      return new Keep.Nothing();
    }
    if (part.density() == 1) {
      return new Keep.All();
    }
    Operand base = tensor.theta().getFirst();
    Operand model = tensor.theta().get(i + 1);
    return switch (kind.thinning()) {
      case SMALLEST -> bySize(new Changes(base, model), part.density(), 0);
      case EXTREMES -> bySize(new Changes(base, model), part.density(), part.margin());
      case RANDOM -> new Keep.Drawn(draws(tensor, model), Draws.bound(part.density()));
      case RANDOM_BY_RANK ->
          new Keep.DrawnByRank(
              new RowRanks(base, model),
              draws(tensor, model),
              part.density(),
              part.margin(),
              rescale);
    };
  }

  private Draws draws(Operands tensor, Operand model) {
    return Draws.of(seed, tensor.output().name(), model);
  }

  /** Where fewer are left than are wanted, fewer of the largest are taken away. */
  private Keep bySize(Changes changes, double density, double gamma) {
    long n = changes.elements();
    long kept = Shares.of(density, n);
    long larger = Math.min(Shares.of(gamma, n), n - kept);
    Cut most = Largest.of(changes, larger);
    Cut least = Largest.of(changes, larger + kept);
    Keep.Between keep = new Keep.Between(least, most, 1);
    return rescale ? new Keep.Between(least, most, Scale.of(changes, keep)) : keep;
  }

  private List<Double> of(ToDoubleFunction<Part> value) {
    return parts.stream().mapToDouble(value).boxed().toList();
  }

  private Map<String, Object> parameters() {
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("method", description().name());
    parameters.put("weights", of(Part::weight));
    parameters.put("density", of(Part::density));
    switch (kind.thinning()) {
      case EXTREMES -> parameters.put("gamma", of(Part::margin));
      case RANDOM_BY_RANK -> parameters.put("epsilon", of(Part::margin));
      default -> {}
    }
    parameters.put("lambda", scale);
    parameters.put("normalize", normalize);
    parameters.put("rescale", rescale);
    if (kind.thinning().isRandom()) {
      parameters.put("seed", seed);
    }
    return parameters;
  }
}
