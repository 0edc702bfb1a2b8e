package dev.smelt.gpu.network;

import ai.djl.ndarray.NDManager;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.gpu.data.InputSpec;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.layer.Model;
import dev.smelt.gpu.layer.Parameter;
import dev.smelt.gpu.layer.Weights;
import dev.smelt.gpu.torch.TorchDevice;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** A network ready to run: an architecture with the weights of a checkpoint on a device, in f32. */
public final class Network implements AutoCloseable {

  private final TorchDevice device;
  private final NDManager scope;
  private final Built built;
  private final List<TensorInfo> parameters;
  private final List<String> unusedTensors;

  private Network(
      TorchDevice device,
      NDManager scope,
      Built built,
      List<TensorInfo> parameters,
      List<String> unusedTensors) {
    this.device = device;
    this.scope = scope;
    this.built = built;
    this.parameters = parameters;
    this.unusedTensors = unusedTensors;
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
      List<TensorInfo> parameters = weights.parameters().stream().map(Parameter::info).toList();
      return new Network(torch, scope, built, parameters, unused(checkpoint, built, parameters));
    } catch (RuntimeException e) {
      scope.close();
      throw e;
    }
  }

  private static List<String> unused(
      Checkpoint checkpoint, Built built, List<TensorInfo> parameters) {
    Set<String> used = new HashSet<>(built.aliases().keySet());
    parameters.forEach(parameter -> used.add(parameter.name()));
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
    return parameters;
  }

  /** Tensors that are stored copies of a parameter (tied weights), with that parameter's name. */
  public Map<String, String> aliases() {
    return new TreeMap<>(built.aliases());
  }

  /** Tensors of the checkpoint that the network does not read, such as causal-mask buffers. */
  public List<String> unusedTensors() {
    return unusedTensors;
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
