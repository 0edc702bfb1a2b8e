package dev.smelt.gpu.network;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.gpu.layer.Weights;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** The classes of a classifier, as its config names them. */
final class ClassNames {

  private ClassNames() {}

  /**
   * The names in {@code id2label}, or LABEL_0, LABEL_1 … for the rows of the head.
   *
   * @param head name of the head's matrix [classes, width]
   * @throws UnsupportedException when the head is no classifier of one class out of several
   */
  static List<String> of(ModelConfig config, Weights weights, String head) {
    String problem = config.text("problem_type").orElse("single_label_classification");
    if (!problem.equals("single_label_classification")) {
      throw new UnsupportedException(
          "classifier not supported",
          config.where(),
          "expected problem_type single_label_classification, found " + problem,
          "");
    }
    JsonNode named = config.get("id2label");
    List<String> names = named.isObject() ? byIndex(config, named) : numbered(weights, head);
    if (names.size() < 2) {
      throw new UnsupportedException(
          "classifier not supported",
          config.where(),
          "expected at least 2 classes, found " + names.size() + " (a regression head?)",
          "");
    }
    return names;
  }

  private static List<String> byIndex(ModelConfig config, JsonNode named) {
    List<String> names = new ArrayList<>();
    for (int i = 0; i < named.size(); i++) {
      JsonNode name = named.path(String.valueOf(i));
      if (!name.isString()) {
        throw new CorruptException(
            "malformed class names",
            config.where(),
            "expected a string at id2label." + i + ", found " + name,
            "");
      }
      names.add(name.asString());
    }
    return names;
  }

  private static List<String> numbered(Weights weights, String head) {
    String module = head.substring(0, head.lastIndexOf('.'));
    long classes = weights.outputs(module).orElse(0);
    List<String> names = new ArrayList<>();
    for (int i = 0; i < classes; i++) {
      names.add("LABEL_" + i);
    }
    return names;
  }
}
