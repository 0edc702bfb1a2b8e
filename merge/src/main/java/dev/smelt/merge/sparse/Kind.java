package dev.smelt.merge.sparse;

import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Parameter;
import dev.smelt.merge.method.Range;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * The methods that {@link SparseMerge} is: how changes are thinned out, and whether signs have to
 * agree.
 */
public enum Kind {
  TIES(
      Thinning.SMALLEST,
      true,
      "A base model and the largest of what others changed of it, where most of them agree on the"
          + " direction",
      "θ* = θ₀ + λ Σ wᵢδᵢ / Σ wᵢ over the models whose wᵢδᵢ has the sign of their sum,"
          + " δᵢ the ⌊density·n⌋ largest elements of θᵢ − θ₀",
      "Yadav et al., TIES-Merging: Resolving Interference When Merging Models, NeurIPS 2023,"
          + " arXiv 2306.01708"),
  DARE_LINEAR(
      Thinning.RANDOM,
      false,
      "A base model and a random part of what others changed of it",
      "θ* = θ₀ + λ Σ wᵢδᵢ, δᵢ = (θᵢ − θ₀)/density with probability density, otherwise 0",
      References.DARE),
  DARE_TIES(
      Thinning.RANDOM,
      true,
      "As dare_linear, where most of the models agree on the direction",
      "θ* = θ₀ + λ Σ wᵢδᵢ over the models whose wᵢδᵢ has the sign of their sum,"
          + " δᵢ = (θᵢ − θ₀)/density with probability density, otherwise 0",
      References.DARE),
  DELLA(
      Thinning.RANDOM_BY_RANK,
      true,
      "As dare_ties, but large changes are left out less often",
      "θ* = θ₀ + λ Σ wᵢδᵢ / Σ wᵢ over the models whose wᵢδᵢ has the sign of their sum,"
          + " δᵢ = (θᵢ − θ₀)/p with probability p, otherwise 0; p rises with the rank of |θᵢ − θ₀|"
          + " in its row from density − epsilon to density + epsilon",
      References.DELLA),
  DELLA_LINEAR(
      Thinning.RANDOM_BY_RANK,
      false,
      "As dare_linear, but large changes are left out less often",
      "θ* = θ₀ + λ Σ wᵢδᵢ, δᵢ = (θᵢ − θ₀)/p with probability p, otherwise 0; p rises with the"
          + " rank of |θᵢ − θ₀| in its row from density − epsilon to density + epsilon",
      References.DELLA),
  BREADCRUMBS(
      Thinning.EXTREMES,
      false,
      "A base model and what others changed of it, neither the smallest nor the very largest",
      "θ* = θ₀ + λ Σ wᵢδᵢ, δᵢ the ⌊density·n⌋ largest elements of θᵢ − θ₀ but for the"
          + " ⌊gamma·n⌋ even larger ones",
      References.BREADCRUMBS),
  BREADCRUMBS_TIES(
      Thinning.EXTREMES,
      true,
      "As breadcrumbs, where most of the models agree on the direction",
      "θ* = θ₀ + λ Σ wᵢδᵢ over the models whose wᵢδᵢ has the sign of their sum,"
          + " δᵢ the ⌊density·n⌋ largest elements of θᵢ − θ₀ but for the ⌊gamma·n⌋ even larger ones",
      References.BREADCRUMBS);

  /** Which parts of a change are left out. */
  enum Thinning {
    /** Those that are small. */
    SMALLEST,
    /** Those that are small, and the very largest. */
    EXTREMES,
    /** Any. */
    RANDOM,
    /** Any, those that are small in their row more often. */
    RANDOM_BY_RANK;

    boolean isRandom() {
      return this == RANDOM || this == RANDOM_BY_RANK;
    }
  }

  private static final class References {

    static final String DARE =
        "Yu et al., Language Models are Super Mario: Absorbing Abilities from Homologous Models as"
            + " a Free Lunch, ICML 2024, arXiv 2311.03099";
    static final String DELLA =
        "Deep et al., DELLA-Merging: Reducing Interference in Model Merging through"
            + " Magnitude-Based Sampling, 2024, arXiv 2406.11617";
    static final String BREADCRUMBS =
        "Davari and Belilovsky, Model Breadcrumbs: Scaling Multi-Task Model Merging with Sparse"
            + " Masks, ECCV 2024, arXiv 2312.06795";
  }

  private final Thinning thinning;
  private final boolean agree;
  private final String summary;
  private final String equation;
  private final String reference;

  Kind(Thinning thinning, boolean agree, String summary, String equation, String reference) {
    this.thinning = thinning;
    this.agree = agree;
    this.summary = summary;
    this.equation = equation;
    this.reference = reference;
  }

  /** A new one at each call, though descriptions made by different calls are not equal. */
  MethodDescription describe() {
    return new MethodDescription(
        name().toLowerCase(Locale.ROOT),
        summary,
        equation,
        reference,
        MethodDescription.Inputs.CHANGES,
        parameters(),
        values -> SparseMerge.of(this, values));
  }

  Thinning thinning() {
    return thinning;
  }

  /** Whether only changes count that have the sign of their sum. */
  boolean agree() {
    return agree;
  }

  private List<Parameter> parameters() {
    List<Parameter> parameters = new ArrayList<>();
    parameters.add(Parameter.weight(Range.FINITE, "w of each model"));
    parameters.add(
        Parameter.perModel("density", 1, Range.SHARE, "share of each change that is kept"));
    if (thinning == Thinning.EXTREMES) {
      parameters.add(
          Parameter.perModel(
              "gamma", 0.01, Range.SHARE, "share of each change that is left out as too large"));
    }
    if (thinning == Thinning.RANDOM_BY_RANK) {
      parameters.add(
          Parameter.perModel(
              "epsilon",
              0.15,
              Range.NOT_NEGATIVE,
              "how far the probability to be kept lies from density, at either end of a row"));
    }
    parameters.add(Parameter.number("lambda", 1, Range.FINITE, "λ"));
    // The standards are those of mergekit.
    boolean normalized = this == TIES || this == DELLA;
    parameters.add(
        Parameter.flag(
            "normalize",
            normalized,
            agree
                ? "divide by the sum of the weights that count in an element"
                : "divide the weights by their sum"));
    parameters.add(
        Parameter.flag(
            "rescale",
            thinning.isRandom(),
            thinning.isRandom()
                ? "divide what is kept by the probability with which it is"
                : "scale what is kept of a tensor to the sum of sizes that its whole change has"));
    if (thinning.isRandom()) {
      parameters.add(
          Parameter.whole("seed", 0, 0, Integer.MAX_VALUE, "which parts are left out at random"));
    }
    return parameters;
  }
}
