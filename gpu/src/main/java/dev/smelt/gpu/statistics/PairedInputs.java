package dev.smelt.gpu.statistics;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.model.Basis;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.gradient.InputProducts;
import dev.smelt.gpu.gradient.Total;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.layer.Use;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.torch.Autograd;
import dev.smelt.gpu.torch.TorchDevice;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * What the inputs of linear layers have become in a compressed network: with x an input of a layer
 * in the original and x̃ the input at the same position in the other, the means over examples of Σ
 * x̃ x̃ᵀ and Σ x x̃ᵀ, sums over all positions but padding. Forward passes only.
 */
public final class PairedInputs {

  /**
   * A layer in both networks.
   *
   * @param original the parameter that multiplies x
   * @param compressed the parameter that multiplies x̃: the right one of two factors
   */
  public record Pair(String original, String compressed) {

    /**
     * @throws MismatchException when the factor is a basis, which multiplies inputs of several
     *     layers
     */
    public Pair {
      requireOwn(compressed);
    }
  }

  /**
   * @param size n, of x and x̃
   * @param gram (1/N) Σ x̃ x̃ᵀ, n×n row-major
   * @param cross (1/N) Σ x x̃ᵀ, n×n row-major
   */
  @SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
  public record Grams(int size, double[] gram, double[] cross) {}

  /**
   * @throws MismatchException when a factor is a basis, which several layers have in common
   */
  public static void requireOwn(String factor) {
    if (Basis.named(factor).isPresent()) {
      throw new MismatchException(
          "a basis cannot be fitted to the inputs of one layer",
          factor,
          "expected factors that are each layer's own",
          "run smelt expand on the model first");
    }
  }

  private final Network original;
  private final Network compressed;
  private final List<Pair> pairs;

  /** Layers that read the same input have the same sums. */
  private final Map<Pair, Sums> sums = new HashMap<>();

  private record Sums(Total gram, Total cross) {}

  private int usesBefore = Integer.MAX_VALUE;
  private int usesAfter = Integer.MAX_VALUE;

  private PairedInputs(Network original, Network compressed, List<Pair> pairs) {
    this.original = original;
    this.compressed = compressed;
    this.pairs = List.copyOf(pairs);
  }

  /**
   * @param compressed on the same device as {@code original}
   * @param pairs whose inputs are looked at
   * @param batch examples at a time
   * @return by pair, in their order; pairs that read the same inputs have the same object
   * @throws NotFoundException when a network does not multiply by such a parameter
   * @throws MismatchException when inputs have another size in the other network
   */
  public static SequencedMap<Pair, Grams> collect(
      Network original,
      Network compressed,
      Dataset data,
      List<Pair> pairs,
      int batch,
      Progress progress) {
    PairedInputs inputs = new PairedInputs(original, compressed, pairs);
    TorchDevice device = compressed.device();
    try (NDManager scope = device.scope();
        Progress.Task task =
            progress.begin("inputs of layers", data.examples().size(), "examples")) {
      for (Batch part : (Iterable<Batch>) data.batches(batch)::iterator) {
        device.step(
            "inputs of layers",
            manager -> Autograd.unrecorded(() -> inputs.add(scope, manager, part)));
        task.advance(part.size());
      }
      return inputs.means(data.examples().size());
    }
  }

  /**
   * The pairs in the order in which a forward pass of the compressed network comes to them; those
   * that read the same input are together.
   *
   * @throws NotFoundException when the network does not multiply by such a parameter
   */
  public static List<List<Pair>> stages(Network compressed, Dataset data, List<Pair> pairs) {
    List<List<Pair>> stages = new ArrayList<>();
    Set<String> parameters = names(pairs, Pair::compressed);
    Batch one = data.batch(0, 1);
    compressed
        .device()
        .step(
            "forward pass",
            manager ->
                Autograd.unrecorded(
                    () ->
                        stages.addAll(
                            stages(
                                inputs(compressed, parameters, Integer.MAX_VALUE, manager, one),
                                pairs))));
    return stages;
  }

  private static Set<String> names(List<Pair> pairs, Function<Pair, String> side) {
    return pairs.stream().map(side).collect(Collectors.toSet());
  }

  private static Collection<List<Pair>> stages(
      Map<String, List<NDArray>> inputs, List<Pair> pairs) {
    pairs.forEach(pair -> uses(inputs, pair.compressed()));
    IdentityHashMap<NDArray, List<Pair>> byInput = new IdentityHashMap<>();
    List<List<Pair>> stages = new ArrayList<>();
    inputs.forEach(
        (parameter, uses) -> {
          for (Pair pair : pairs) {
            if (pair.compressed().equals(parameter)) {
              List<Pair> stage = byInput.get(uses.getFirst());
              if (stage == null) {
                stage = new ArrayList<>();
                byInput.put(uses.getFirst(), stage);
                stages.add(stage);
              }
              stage.add(pair);
            }
          }
        });
    return stages;
  }

  private void add(NDManager scope, NDManager manager, Batch batch) {
    Map<String, List<NDArray>> before =
        inputs(original, names(pairs, Pair::original), usesBefore, manager, batch);
    Map<String, List<NDArray>> after =
        inputs(compressed, names(pairs, Pair::compressed), usesAfter, manager, batch);
    // The first batch tells how often they are used, and with that where to stop.
    usesBefore = count(before);
    usesAfter = count(after);
    InputProducts products = new InputProducts(batch, compressed.device().functions());
    // By identity: to compare arrays by value takes longer than to add them.
    IdentityHashMap<NDArray, IdentityHashMap<NDArray, Sums>> done = new IdentityHashMap<>();
    for (Pair pair : pairs) {
      List<NDArray> x = uses(before, pair.original());
      List<NDArray> other = uses(after, pair.compressed());
      requireAlike(pair, x, other);
      IdentityHashMap<NDArray, Sums> withThis =
          done.computeIfAbsent(x.getFirst(), key -> new IdentityHashMap<>());
      Sums same = withThis.get(other.getFirst());
      if (same != null) {
        sums.put(pair, same);
        continue;
      }
      Sums target = sums.computeIfAbsent(pair, key -> zeros(scope, width(x.getFirst())));
      for (int i = 0; i < x.size(); i++) {
        try (NDManager temporary = manager.newSubManager()) {
          products.add(temporary, other.get(i), other.get(i), target.gram());
          products.add(temporary, x.get(i), other.get(i), target.cross());
        }
      }
      withThis.put(other.getFirst(), target);
    }
  }

  /**
   * By parameter, in the order of the forward pass, which runs no further than needed.
   *
   * @param uses of the parameters that there are; {@link Integer#MAX_VALUE} where it is not known
   */
  private static SequencedMap<String, List<NDArray>> inputs(
      Network network, Set<String> parameters, int uses, NDManager manager, Batch batch) {
    Tape tape = Tape.listening(parameters, uses);
    try {
      var _ = network.model().logits(manager, batch, tape);
    } catch (Tape.EndOfTape _) {
      // The inputs are there.
    }
    SequencedMap<String, List<NDArray>> inputs = new LinkedHashMap<>();
    for (Use.Product product : tape.products()) {
      inputs.computeIfAbsent(product.parameter().name(), key -> new ArrayList<>()).add(product.x());
    }
    return inputs;
  }

  private static int count(Map<String, List<NDArray>> inputs) {
    return inputs.values().stream().mapToInt(List::size).sum();
  }

  private static List<NDArray> uses(Map<String, List<NDArray>> inputs, String parameter) {
    List<NDArray> uses = inputs.get(parameter);
    if (uses == null) {
      throw new NotFoundException(
          "the network multiplies by no such parameter", parameter, "", "see smelt inspect");
    }
    return uses;
  }

  private static void requireAlike(Pair pair, List<NDArray> x, List<NDArray> compressed) {
    boolean alike = x.size() == compressed.size();
    for (int i = 0; alike && i < x.size(); i++) {
      alike = x.get(i).getShape().equals(compressed.get(i).getShape());
    }
    if (!alike) {
      throw new MismatchException(
          "inputs of a layer differ between the networks",
          pair.compressed(),
          "expected those of "
              + pair.original()
              + " "
              + shapes(x)
              + ", found "
              + shapes(compressed),
          "is it made from this original?");
    }
  }

  private static List<Shape> shapes(List<NDArray> arrays) {
    return arrays.stream().map(NDArray::getShape).toList();
  }

  private static long width(NDArray x) {
    return x.getShape().get(2);
  }

  private static Sums zeros(NDManager scope, long width) {
    return new Sums(total(scope, width), total(scope, width));
  }

  private static Total total(NDManager scope, long width) {
    return new Total(
        scope.zeros(new Shape(width, width), DataType.FLOAT64),
        scope.zeros(new Shape(1), DataType.FLOAT64));
  }

  private SequencedMap<Pair, Grams> means(int examples) {
    IdentityHashMap<Sums, Grams> known = new IdentityHashMap<>();
    SequencedMap<Pair, Grams> means = new LinkedHashMap<>();
    for (Pair pair : pairs) {
      Sums found = Objects.requireNonNull(sums.get(pair));
      means.put(pair, known.computeIfAbsent(found, key -> grams(key, examples)));
    }
    return means;
  }

  private static Grams grams(Sums sums, int examples) {
    int size = Math.toIntExact(sums.gram().values().getShape().get(0));
    return new Grams(
        size, mean(sums.gram().values(), examples), mean(sums.cross().values(), examples));
  }

  private static double[] mean(NDArray sum, int examples) {
    double[] mean = sum.toDoubleArray();
    for (int i = 0; i < mean.length; i++) {
      mean[i] /= examples;
    }
    return mean;
  }
}
