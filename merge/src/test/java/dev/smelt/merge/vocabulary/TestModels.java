package dev.smelt.merge.vocabulary;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Shape;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/** Small models with tokenizers, written by hand. Closing it closes them. */
final class TestModels implements AutoCloseable {

  static final String EMBEDDING = "model.embed_tokens.weight";
  static final String HEAD = "lm_head.weight";

  private final Path folder;
  private final List<Checkpoint> models = new ArrayList<>();
  private final List<Vocabularies> planned = new ArrayList<>();

  TestModels(Path folder) {
    this.folder = folder;
  }

  /** The config of an untied Llama with so many tokens. */
  static String llama(int tokens) {
    return "{\"model_type\": \"llama\", \"vocab_size\": " + tokens + "}";
  }

  /** Words are tokens; ids are places. */
  static String words(String... tokens) {
    StringBuilder map = new StringBuilder();
    for (int i = 0; i < tokens.length; i++) {
      map.append(i > 0 ? ", " : "").append("\"" + tokens[i] + "\": " + i);
    }
    return "{\"version\": \"1.0\", \"pre_tokenizer\": {\"type\": \"Whitespace\"}, \"model\":"
        + " {\"type\": \"WordLevel\", \"vocab\": {"
        + map
        + "}, \"unk_token\": \""
        + tokens[0]
        + "\"}}";
  }

  /** One column, F32. */
  static TestTensor column(String name, float... values) {
    return TestTensors.f32(name, Shape.of(values.length, 1), values);
  }

  Path folder(int model) {
    return folder.resolve("model" + model);
  }

  /** Adds a file beside the model that is added next. */
  TestModels file(String name, String text) {
    TestCheckpoints.write(folder(models.size()).resolve(name), text);
    return this;
  }

  TestModels model(String config, TestTensor... tensors) {
    Path path = folder(models.size());
    models.add(Checkpoint.open(TestCheckpoints.folder(path, config, List.of(tensors))));
    return this;
  }

  /** A Llama of these words with an embedding of one column. */
  TestModels model(String[] words, float... embedding) {
    return file("tokenizer.json", words(words))
        .model(llama(embedding.length), column(EMBEDDING, embedding));
  }

  List<Checkpoint> models() {
    return models;
  }

  Vocabularies plan(String source) {
    return plan(TokenizerRequest.parse(source), OptionalInt.empty());
  }

  Vocabularies plan(TokenizerRequest request, OptionalInt base) {
    Vocabularies vocabularies = Vocabularies.plan(models, base, request, folder);
    planned.add(vocabularies);
    return vocabularies;
  }

  @Override
  public void close() {
    planned.forEach(Vocabularies::close);
    models.forEach(Checkpoint::close);
  }
}
