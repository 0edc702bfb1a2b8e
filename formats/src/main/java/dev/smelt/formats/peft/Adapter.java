package dev.smelt.formats.peft;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.huggingface.SafetensorsCheckpoint;
import dev.smelt.formats.huggingface.WeightsFolder;
import dev.smelt.formats.storage.Storage;
import dev.smelt.formats.torch.TorchCheckpoint;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * An opened LoRA adapter: adapter_config.json and, beside it, adapter_model.safetensors or
 * adapter_model.bin. Tensors are mapped and stay valid until {@link #close()}.
 */
public final class Adapter implements AutoCloseable {

  static final String WEIGHTS = "adapter_model.safetensors";
  private static final String PICKLED_WEIGHTS = "adapter_model.bin";

  /** Lists of all modules of the largest networks stay far below. */
  private static final long MAX_CONFIG_BYTES = 64_000_000;

  private final Path folder;
  private final AdapterConfig config;
  private final Checkpoint weights;
  private final SequencedMap<String, AdapterFactors> factors;
  private final SequencedMap<String, TensorView> full;
  private final SequencedMap<String, TensorView> factorBiases;

  private Adapter(
      Path folder,
      AdapterConfig config,
      Checkpoint weights,
      SequencedMap<String, AdapterFactors> factors,
      SequencedMap<String, TensorView> full,
      SequencedMap<String, TensorView> factorBiases) {
    this.folder = folder;
    this.config = config;
    this.weights = weights;
    this.factors = Collections.unmodifiableSequencedMap(factors);
    this.full = Collections.unmodifiableSequencedMap(full);
    this.factorBiases = Collections.unmodifiableSequencedMap(factorBiases);
  }

  /** Whether a path is the folder of an adapter of any kind, and not of a whole model. */
  public static boolean isFolder(Path path) {
    return Storage.local().isFolder(path)
        && Storage.local().exists(path.resolve(AdapterConfig.FILE))
        && !SafetensorsCheckpoint.isFolderOf(path)
        && !TorchCheckpoint.isFolderOf(path);
  }

  /**
   * @throws UnsupportedException for anything but plain LoRA
   * @throws NotFoundException when there are no weights, or a factor lacks the other one
   * @throws CorruptException when factors do not fit their ranks
   */
  public static Adapter open(Path folder) {
    Path file = folder.resolve(AdapterConfig.FILE);
    AdapterConfig config =
        AdapterConfigReader.read(Storage.local().read(file, MAX_CONFIG_BYTES), file.toString());
    Checkpoint weights = Checkpoint.open(weights(folder));
    boolean opened = false;
    try {
      AdapterParts parts = AdapterParts.of(weights, config);
      Adapter adapter =
          new Adapter(folder, config, weights, parts.factors(), parts.full(), parts.biases());
      opened = true;
      return adapter;
    } finally {
      if (!opened) {
        weights.close();
      }
    }
  }

  private static Path weights(Path folder) {
    for (String name : List.of(WEIGHTS, PICKLED_WEIGHTS)) {
      if (Storage.local().exists(folder.resolve(name))) {
        return folder.resolve(name);
      }
    }
    throw new NotFoundException(
        "adapter without weights",
        folder.toString(),
        "expected " + WEIGHTS + " or " + PICKLED_WEIGHTS,
        "give the folder that PEFT has written");
  }

  /** As it was given. */
  public Path path() {
    return folder;
  }

  public AdapterConfig config() {
    return config;
  }

  /** The file as it is, with PEFT's names. */
  public Checkpoint weights() {
    return weights;
  }

  /** By module. */
  public SequencedMap<String, AdapterFactors> factors() {
    return factors;
  }

  /** Tensors of the model in full, by their names there. */
  public SequencedMap<String, TensorView> full() {
    return full;
  }

  /** What is added to the biases of modules, before it is scaled like their factors; by module. */
  public SequencedMap<String, TensorView> factorBiases() {
    return factorBiases;
  }

  /** The config of the changed model, where it lies beside the adapter. */
  public Optional<ModelConfig> modelConfig() {
    return WeightsFolder.config(folder);
  }

  /** Files beside the adapter that a model needs: a tokenizer that is another than the base's. */
  public List<Path> sideFiles() {
    return WeightsFolder.sideFiles(folder).stream()
        .filter(file -> !String.valueOf(file.getFileName()).equals(AdapterConfig.FILE))
        .toList();
  }

  @Override
  public void close() {
    weights.close();
  }
}
