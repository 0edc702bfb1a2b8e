package dev.smelt.merge.vocabulary;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.TensorView;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * A model as it would be with the vocabulary of the output: matrices with a row for each token have
 * the output's rows; all else is the model's own. It lives as long as the {@link Vocabularies} that
 * it is of.
 */
public final class VocabularyModel implements Checkpoint {

  private final Checkpoint model;
  private final int number;
  private final Vocabularies vocabularies;
  private final RelaidTensors relaid;
  private final Optional<ModelConfig> config;
  private final List<Path> sideFiles;
  private final SequencedMap<String, TensorView> tensors = new LinkedHashMap<>();

  VocabularyModel(
      Checkpoint model,
      int number,
      Vocabularies vocabularies,
      RelaidTensors relaid,
      Optional<ModelConfig> config,
      List<Path> sideFiles) {
    this.model = model;
    this.number = number;
    this.vocabularies = vocabularies;
    this.relaid = relaid;
    this.config = config;
    this.sideFiles = List.copyOf(sideFiles);
    for (TensorView tensor : model.tensors()) {
      tensors.put(tensor.name(), relaid.relaid(number, tensor));
    }
  }

  /**
   * Information on a tensor of the model, element by element, in the order of the output: nothing
   * is known of rows that are not the model's own, which is 0.
   *
   * @param tensor of the model
   */
  public TensorView information(String tensor, TensorView values) {
    return relaid.ownRows(number, tensor, values);
  }

  /** The model as it is. */
  public Checkpoint stored() {
    return model;
  }

  /** All models with the output's vocabulary, and its files. */
  public Vocabularies vocabularies() {
    return vocabularies;
  }

  @Override
  public Path path() {
    return model.path();
  }

  @Override
  public String kind() {
    return model.kind();
  }

  @Override
  public List<TensorView> tensors() {
    return List.copyOf(tensors.values());
  }

  @Override
  public Optional<TensorView> find(String name) {
    return Optional.ofNullable(tensors.get(name));
  }

  @Override
  public Map<String, String> metadata() {
    return model.metadata();
  }

  @Override
  public List<String> leftOut() {
    return model.leftOut();
  }

  /** With the output's number of tokens; in that of the first model ids are those of the output. */
  @Override
  public Optional<ModelConfig> config() {
    return config;
  }

  @Override
  public List<Path> weightFiles() {
    return model.weightFiles();
  }

  /** Those of the output. */
  @Override
  public List<Path> sideFiles() {
    return sideFiles;
  }

  /** The model itself stays open. */
  @Override
  public void close() {}
}
