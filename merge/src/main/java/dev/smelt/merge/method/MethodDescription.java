package dev.smelt.merge.method;

import java.util.List;
import java.util.Optional;

/**
 * What a method says of itself; options, recipes, help texts and documentation are made from this.
 *
 * @param name as in {@code --method}
 * @param summary half a sentence
 * @param equation what it computes
 * @param reference the paper
 * @param inputs what it is computed from
 * @param factory makes the method from values of the parameters
 */
public record MethodDescription(
    String name,
    String summary,
    String equation,
    String reference,
    Inputs inputs,
    List<Parameter> parameters,
    Factory factory) {

  public MethodDescription {
    parameters = List.copyOf(parameters);
  }

  /** Makes a method. */
  @FunctionalInterface
  public interface Factory {

    /**
     * @throws dev.smelt.formats.UsageException when the values do not go together
     */
    MergeMethod create(Values values);
  }

  public Optional<Parameter> parameter(String name) {
    return parameters.stream().filter(parameter -> parameter.name().equals(name)).findFirst();
  }

  /** What a method is computed from. */
  public record Inputs(Models models, Base base, Data data) {

    /** Several models and nothing else. */
    public static final Inputs MODELS = new Inputs(Models.SEVERAL, Base.NONE, Data.NONE);

    /** One or more models and what they are changes of. */
    public static final Inputs CHANGES = new Inputs(Models.ANY, Base.REQUIRED, Data.NONE);
  }

  /** How many models there have to be, beside a base. */
  public enum Models {
    ONE(1, 1),
    TWO(2, 2),
    ANY(1, Integer.MAX_VALUE),
    SEVERAL(2, Integer.MAX_VALUE);

    private final int least;
    private final int most;

    Models(int least, int most) {
      this.least = least;
      this.most = most;
    }

    public boolean allows(int models) {
      return models >= least && models <= most;
    }

    @Override
    public String toString() {
      return least == most ? Integer.toString(least) : least + " or more";
    }
  }

  /** Whether there is a model that the others are changes of. */
  public enum Base {
    NONE,
    OPTIONAL,
    REQUIRED
  }

  /** What every model has to come with. */
  public enum Data {
    NONE,
    /** Diagonal Fisher information. */
    FISHER,
    /** Gram matrices of the inputs of matrices, and Fisher information if the rest needs it. */
    GRAMS
  }
}
