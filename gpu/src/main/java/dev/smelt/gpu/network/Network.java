package dev.smelt.gpu.network;

import ai.djl.ndarray.NDManager;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.gpu.data.InputSpec;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.layer.Model;
import dev.smelt.gpu.layer.Parameter;
import dev.smelt.gpu.layer.Weights;
import dev.smelt.gpu.torch.TorchDevice;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeMap;

/** A network ready to run: an architecture with the weights of a checkpoint on a device, in f32. */
public final class Network implements AutoCloseable {

  private final TorchDevice device;
  private final NDManager scope;
  private final Built built;
  private final SequencedMap<String, Parameter> parameters = new LinkedHashMap<>();
  private final List<String> unusedTensors;
  private final List<String> notes;

  Network(
      TorchDevice device,
      NDManager scope,
      Built built,
      List<Parameter> parameters,
      List<String> unusedTensors,
      List<String> notes) {
    this.device = device;
    this.scope = scope;
    this.built = built;
    parameters.forEach(parameter -> this.parameters.put(parameter.name(), parameter));
    this.unusedTensors = List.copyOf(unusedTensors);
    this.notes = List.copyOf(notes);
  }

  /**
   * Builds the network that the checkpoint's config.json names. Everything is checked before the
   * first weight is read. The checkpoint may be closed afterwards.
   *
   * @throws UnsupportedException when there is no config or no such architecture
   * @throws dev.smelt.formats.BadInputException when tensors are missing, of the wrong shape or not
   *     finite
   */
  public static Network load(Checkpoint checkpoint, ComputeDevice device) {
    ModelConfig config =
        checkpoint
            .config()
            .orElseThrow(
                () ->
                    new UnsupportedException(
                        "cannot run a checkpoint without config.json",
                        checkpoint.path().toString(),
                        "",
                        "give the model's folder"));
    TorchDevice torch = device.torch();
    NDManager scope = torch.scope();
    try {
      Weights weights = Weights.of(checkpoint, scope);
      Built built = Architectures.build(config, weights, torch.functions());
      weights.upload();
      List<Parameter> parameters = weights.parameters();
      Set<String> used = new HashSet<>();
      built
          .aliases()
          .keySet()
          .forEach(
              copy ->
                  LowRank.find(checkpoint, copy).stream()
                      .flatMap(view -> view.stored().stream())
                      .forEach(view -> used.add(view.name())));
      parameters.forEach(parameter -> used.addAll(parameter.holders()));
      return new Network(torch, scope, built, parameters, unused(checkpoint, used), List.of());
    } catch (RuntimeException e) {
      scope.close();
      throw e;
    }
  }

  /**
   * Puts the tensors of a checkpoint into a TorchScript module, by name: parameters and buffers.
   * Names and shapes are checked before the module is loaded. Both files may be closed afterwards.
   *
   * @param module a traced or scripted module whose forward takes a batch and gives logits
   * @throws UnsupportedException when it is no such module
   * @throws dev.smelt.formats.BadInputException when tensors are missing, of the wrong shape or
   *     type, or not finite
   */
  public static Network script(Checkpoint checkpoint, Path module, ComputeDevice device) {
    TorchDevice torch = device.torch();
    NDManager scope = torch.scope();
    try {
      ScriptNetwork script = ScriptNetwork.load(checkpoint, module, scope, device);
      return new Network(
          torch,
          scope,
          script.built(),
          script.parameters(),
          unused(checkpoint, script.used()),
          script.notes());
    } catch (RuntimeException e) {
      scope.close();
      throw e;
    }
  }

  private static List<String> unused(Checkpoint checkpoint, Set<String> used) {
    return checkpoint.infos().stream()
        .map(TensorInfo::name)
        .filter(name -> !used.contains(name))
        .toList();
  }

  /** What data must look like to be fed to it. */
  public InputSpec input() {
    return built.input();
  }

  /** The learned tensors, each once, in the order of the forward pass. */
  public List<TensorInfo> parameters() {
    return parameters.values().stream().map(Parameter::info).toList();
  }

  /**
   * Name and shape of a parameter.
   *
   * @throws NotFoundException when the network has no such parameter
   */
  public TensorInfo info(String name) {
    return learned(name).info();
  }

  /**
   * The parameter of that name as the rest of this module sees it.
   *
   * @throws NotFoundException when the network has no such parameter
   */
  public Parameter learned(String name) {
    Parameter parameter = parameters.get(name);
    if (parameter == null) {
      throw new NotFoundException(
          "the network has no such parameter", name, "", "see smelt inspect for the names");
    }
    return parameter;
  }

  /**
   * Reads a parameter back, for one that was tuned or replaced is not what the checkpoint holds.
   *
   * @param scratch where the values are kept
   * @return f32, of the parameter's name and shape, as long as {@code scratch} lives
   */
  public TensorView values(String name, Scratch scratch) {
    return learned(name).download(scratch);
  }

  /**
   * Puts other values into a parameter, in place.
   *
   * @param values row-major
   * @throws NotFoundException when the network has no such parameter
   * @throws MismatchException when it has another number of values
   * @throws dev.smelt.formats.NonFiniteException at the first NaN or infinity
   */
  public void replace(String name, float[] values) {
    learned(name).replace(values);
  }

  /** Tensors that are stored copies of a parameter (tied weights), with that parameter's name. */
  public Map<String, String> aliases() {
    return new TreeMap<>(built.aliases());
  }

  /** Tensors of the checkpoint that the network does not read, such as causal-mask buffers. */
  public List<String> unusedTensors() {
    return unusedTensors;
  }

  /** Decisions made on loading that the user should know of, one sentence each. */
  public List<String> notes() {
    return notes;
  }

  /** The forward pass as the rest of this module sees it. */
  public Model model() {
    return built.model();
  }

  /** The device as the rest of this module sees it. */
  public TorchDevice device() {
    return device;
  }

  @Override
  public void close() {
    scope.close();
  }
}
