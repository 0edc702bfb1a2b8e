package dev.smelt.gpu.layer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.model.Axis;
import dev.smelt.formats.model.LowRank;
import dev.smelt.gpu.torch.ScriptFunctions;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Builds layers from a checkpoint's tensors. Names and shapes are checked while layers are built;
 * no weight is read before {@link #upload}, when all of them fit.
 */
public final class Weights {

  /** Whether a linear layer adds a bias. */
  public enum Bias {
    YES,
    NO
  }

  private final Checkpoint checkpoint;
  private final NDManager manager;
  private final Map<String, Parameter> parameters;
  private final LowRank lowRank;
  private final Map<String, LowRank.Module> pairs;
  private final String prefix;

  private Weights(
      Checkpoint checkpoint,
      NDManager manager,
      Map<String, Parameter> parameters,
      LowRank lowRank,
      Map<String, LowRank.Module> pairs,
      String prefix) {
    this.checkpoint = checkpoint;
    this.lowRank = lowRank;
    this.pairs = pairs;
    this.manager = manager;
    this.parameters = parameters;
    this.prefix = prefix;
  }

  /**
   * @param manager will own the weights
   */
  public static Weights of(Checkpoint checkpoint, NDManager manager) {
    LowRank lowRank = LowRank.of(checkpoint);
    lowRank.requireBases(checkpoint);
    return new Weights(checkpoint, manager, new LinkedHashMap<>(), lowRank, lowRank.pairs(), "");
  }

  /** The same weights, seen from inside a module: {@code name} means {@code <module>.name}. */
  public Weights in(String module) {
    return new Weights(checkpoint, manager, parameters, lowRank, pairs, prefix + module + ".");
  }

  /** As {@link #in}, if any tensor is there; otherwise this. For prefixes that may be left out. */
  public Weights inOptional(String module) {
    Weights inside = in(module);
    boolean any = checkpoint.tensors().stream().anyMatch(t -> t.name().startsWith(inside.prefix));
    return any ? inside : this;
  }

  /** The tensor of that name; a factor of integers with its scales. */
  public Optional<TensorView> find(String name) {
    return LowRank.find(checkpoint, prefix + name);
  }

  /**
   * The parameter of that name, the same object every time.
   *
   * @throws NotFoundException when there is no such tensor
   * @throws MismatchException when its shape is another
   */
  public Parameter parameter(String name, long... shape) {
    return stored(prefix + name, shape);
  }

  private Parameter stored(String full, long... shape) {
    TensorView view =
        LowRank.find(checkpoint, full)
            .orElseThrow(
                () ->
                    new NotFoundException(
                        "tensor missing",
                        checkpoint.path().toString(),
                        "expected '" + full + "' " + Shape.of(shape),
                        "is config.json that of another model?"));
    if (!view.shape().equals(Shape.of(shape))) {
      throw new MismatchException(
          "tensor of the wrong shape",
          full,
          "expected " + Shape.of(shape) + " from config.json, found " + view.shape(),
          "is config.json that of another model?");
    }
    return parameters.computeIfAbsent(full, key -> new Parameter(view));
  }

  /**
   * A linear layer: {@code <module>.weight}, or its factors {@code <module>.BLinear.weight} [r, in]
   * and {@code <module>.ALinear.weight} [out, r], one of which may be a basis of several modules,
   * or both where factors are a change of the matrix, or parts of it. Factors and parts are stored
   * [out, in] whatever the layout of the dense matrix.
   */
  public Linear linear(String module, long in, long out, Layout layout, Bias bias) {
    if (lowRank.modules().get(prefix + module) instanceof LowRank.Split split) {
      String full = prefix + module;
      StoredFactors.requireAbsent(checkpoint, LowRank.denseWeight(full), full);
      StoredFactors.requireAbsent(checkpoint, LowRank.factorB(full), full);
      return split(module, in, out, split, bias(module + ".bias", out, bias));
    }
    Optional<StoredFactors> factors = factors(module);
    if (factors.isEmpty()) {
      return dense(module, in, out, layout, bias);
    }
    long rank = factors.get().rank();
    Parameter b = stored(factors.get().b(), rank, in);
    Parameter a = stored(factors.get().a(), out, rank);
    boolean delta = factors.get().delta();
    Linear.Factored product =
        new Linear.Factored(
            new Linear.Dense(b, Layout.OUT_IN, Optional.empty()),
            new Linear.Dense(a, Layout.OUT_IN, factorBias(module, out, bias, delta)));
    return delta ? new Linear.Changed(dense(module, in, out, layout, bias), product) : product;
  }

  private Linear.Dense dense(String module, long in, long out, Layout layout, Bias bias) {
    Parameter weight =
        switch (layout) {
          case OUT_IN -> parameter(module + ".weight", out, in);
          case IN_OUT -> parameter(module + ".weight", in, out);
        };
    return new Linear.Dense(weight, layout, bias(module + ".bias", out, bias));
  }

  /** Of factors that are a change the matrix has the bias. */
  private Optional<Parameter> factorBias(String module, long out, Bias bias, boolean delta) {
    return delta ? Optional.empty() : bias(LowRank.bias(module), out, bias);
  }

  private Optional<StoredFactors> factors(String module) {
    return StoredFactors.of(checkpoint, pairs, prefix + module);
  }

  /**
   * The full name of what may hold a module's matrix, or a factor of it.
   *
   * @param form what follows the module where the tensor is its own: "ALinear.weight"
   */
  public String holder(String module, String form) {
    String own = prefix + module + "." + form;
    LowRank.Module listed = pairs.get(prefix + module);
    if (listed != null) {
      if (own.equals(LowRank.factorA(prefix + module))) {
        return listed.nameOfA(prefix + module);
      }
      if (own.equals(LowRank.factorB(prefix + module))) {
        return listed.nameOfB(prefix + module);
      }
    }
    return own;
  }

  /**
   * How many outputs a linear layer has as it is stored, whole, as factors or in parts; empty where
   * there is no such matrix [out, in].
   */
  public OptionalLong outputs(String module) {
    if (lowRank.modules().get(prefix + module) instanceof LowRank.Split split) {
      return split.axis() == Axis.OUTPUT
          ? OptionalLong.of(split.size())
          : outputs(LowRank.part(module, split.parts().getFirst().name()));
    }
    return find(module + ".weight")
        .or(() -> factors(module).flatMap(factors -> checkpoint.find(factors.a())))
        .map(TensorView::shape)
        .filter(Shape::isMatrix)
        .map(shape -> OptionalLong.of(shape.size(0)))
        .orElse(OptionalLong.empty());
  }

  private Linear split(
      String module, long in, long out, LowRank.Split split, Optional<Parameter> bias) {
    long expected = split.axis() == Axis.OUTPUT ? out : in;
    if (split.size() != expected) {
      throw new MismatchException(
          "parts of another matrix",
          checkpoint.path() + "|" + prefix + module,
          String.format(
              "expected %d %s from config.json, found parts of %d",
              expected, split.axis(), split.size()),
          "make the checkpoint again");
    }
    LinearParts parts = new LinearParts(this, manager, module, split);
    return switch (split.axis()) {
      case OUTPUT -> parts.below(in, bias);
      case INPUT -> parts.beside(out, bias);
    };
  }

  private Optional<Parameter> bias(String name, long out, Bias bias) {
    return switch (bias) {
      case YES -> Optional.of(parameter(name, out));
      case NO -> Optional.empty();
    };
  }

  private void requireWhole(String module, String kind) {
    if (lowRank.modules().get(prefix + module) instanceof LowRank.Split) {
      throw new UnsupportedException(
          kind + " in parts",
          checkpoint.path() + "|" + prefix + module,
          "expected a weight or factors, found parts",
          "run smelt expand on it first");
    }
  }

  /**
   * A table, or its factors [rows, r] and [r, width] under the names of a linear layer's, or both.
   */
  public Embedding embedding(String module, long rows, long width) {
    requireWhole(module, "table");
    Optional<StoredFactors> factors = factors(module);
    if (factors.isEmpty()) {
      return table(module, rows, width);
    }
    long rank = factors.get().rank();
    Parameter a = stored(factors.get().a(), rows, rank);
    Parameter b = stored(factors.get().b(), rank, width);
    Embedding.Factored product = new Embedding.Factored(new Embedding.Table(a), b);
    return factors.get().delta()
        ? new Embedding.Changed(table(module, rows, width), product)
        : product;
  }

  private Embedding.Table table(String module, long rows, long width) {
    return new Embedding.Table(parameter(module + ".weight", rows, width));
  }

  public LayerNorm layerNorm(String module, long width, double epsilon) {
    NDArray ones = manager.ones(new ai.djl.ndarray.types.Shape(width), DataType.FLOAT32);
    NDArray zeros = manager.zeros(new ai.djl.ndarray.types.Shape(width), DataType.FLOAT32);
    return new LayerNorm(
        parameter(module + ".weight", width),
        parameter(module + ".bias", width),
        ones,
        zeros,
        epsilon);
  }

  /**
   * @param aboutOne whether the stored weights are deviations from 1
   */
  public RmsNorm rmsNorm(String module, long width, double epsilon, boolean aboutOne) {
    return new RmsNorm(
        parameter(module + ".weight", width),
        manager.create((float) epsilon),
        aboutOne ? Optional.of(manager.create(1f)) : Optional.empty());
  }

  /**
   * A convolution of one group: one in several is stored with fewer inputs and refused for its
   * shape.
   */
  public Convolution convolution(
      String module,
      long in,
      long out,
      Convolution.Kernel kernel,
      Bias bias,
      ScriptFunctions functions) {
    requireWhole(module, "convolution");
    Optional<StoredFactors> factors = factors(module);
    if (factors.isEmpty()) {
      return dense(module, in, out, kernel, bias, functions);
    }
    long height = kernel.size().get(0);
    long breadth = kernel.size().get(1);
    long rank = factors.get().rank();
    Parameter b = stored(factors.get().b(), rank, in, height, breadth);
    Parameter a = stored(factors.get().a(), out, rank, 1, 1);
    boolean delta = factors.get().delta();
    Convolution.Factored product =
        new Convolution.Factored(
            new Convolution.Dense(b, Optional.empty(), kernel, functions),
            new Convolution.Dense(
                a,
                factorBias(module, out, bias, delta),
                Convolution.Kernel.of(new ai.djl.ndarray.types.Shape(1, 1)),
                functions));
    return delta
        ? new Convolution.Changed(dense(module, in, out, kernel, bias, functions), product)
        : product;
  }

  private Convolution.Dense dense(
      String module,
      long in,
      long out,
      Convolution.Kernel kernel,
      Bias bias,
      ScriptFunctions functions) {
    Parameter weight =
        parameter(module + ".weight", out, in, kernel.size().get(0), kernel.size().get(1));
    return new Convolution.Dense(weight, bias(module + ".bias", out, bias), kernel, functions);
  }

  /** Where the weights come from, for messages. */
  public String where() {
    return checkpoint.path().toString();
  }

  /** Those that layers have asked for, in that order. */
  public List<Parameter> parameters() {
    return List.copyOf(parameters.values());
  }

  /** Reads all parameters onto the device. */
  public void upload() {
    for (Parameter parameter : parameters.values()) {
      parameter.upload(manager);
    }
  }
}
