package dev.smelt.formats.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * A model with factors, put together by hand.
 *
 * @param place for its folder
 * @param config with the list of its modules
 */
record StoredModel(Path place, String config, List<TestTensor> tensors) {

  <T> T read(Function<Checkpoint, T> reader) {
    Path folder = TestCheckpoints.folder(place.resolve("m"), config, tensors);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      return reader.apply(checkpoint);
    }
  }

  StoredModel listed(String other) {
    return new StoredModel(place, other, tensors);
  }

  /** With other tensors, in place of those that have their names. */
  StoredModel with(TestTensor... others) {
    Map<String, TestTensor> all = new LinkedHashMap<>();
    tensors.forEach(tensor -> all.put(tensor.name(), tensor));
    List.of(others).forEach(tensor -> all.put(tensor.name(), tensor));
    return new StoredModel(place, config, List.copyOf(all.values()));
  }

  StoredModel without(String name) {
    List<TestTensor> rest = new ArrayList<>(tensors);
    assertThat(rest.removeIf(tensor -> tensor.name().equals(name))).as(name).isTrue();
    return new StoredModel(place, config, rest);
  }

  /** Of each dense tensor the names of what it is made of. */
  List<List<String>> names(Function<FactoredTensor, List<TensorView>> part) {
    return each(tensor -> part.apply(tensor).stream().map(TensorView::name).toList());
  }

  /** Of each dense tensor "name type shape". */
  List<String> infos() {
    return each(
        tensor -> tensor.info().name() + " " + tensor.info().dtype() + " " + tensor.info().shape());
  }

  <T> List<T> each(Function<FactoredTensor, T> what) {
    return read(checkpoint -> FactoredTensor.of(checkpoint).stream().map(what).toList());
  }

  /** The list is written as it is here, into a config and into the header of a file. */
  void assertIsWrittenOf(LowRank modules) {
    ModelConfig described = modules.describe(ModelConfig.parse("{}"), "plain");
    assertThat(described.get("low_rank_modules"))
        .isEqualTo(ModelConfig.parse(config).get("low_rank_modules"));
    byte[] bytes = TestCheckpoints.safetensors(tensors, modules.headerMetadata());
    Path file = TestCheckpoints.write(place.resolve("w.safetensors"), bytes);
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertThat(LowRank.of(checkpoint)).isEqualTo(modules);
    }
  }
}
