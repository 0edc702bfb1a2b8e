package dev.smelt.merge.recipe;

import dev.smelt.formats.CorruptException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedSet;

/** Puts stages behind those whose results they use, whatever the order of the documents. */
final class StageOrder {

  private final List<Stage> stages;
  private final Map<String, Stage> byName = new HashMap<>();
  private final SequencedSet<Stage> ordered = new LinkedHashSet<>();
  private final SequencedSet<Stage> open = new LinkedHashSet<>();

  private StageOrder(List<Stage> stages) {
    this.stages = stages;
  }

  /**
   * The last one makes the output: that without a name, or the last document.
   *
   * @throws CorruptException when several have no name, a name is there twice, a stage uses its own
   *     result or none uses its result
   */
  static List<Stage> of(List<Stage> stages) {
    return new StageOrder(stages).order();
  }

  private List<Stage> order() {
    List<Stage> nameless = new ArrayList<>();
    for (Stage stage : stages) {
      if (stage.name().isEmpty()) {
        nameless.add(stage);
      } else if (byName.put(stage.name().get(), stage) != null) {
        throw refusal(stage, "found name " + stage.name().get() + " twice", "choose another");
      }
    }
    if (nameless.size() > 1) {
      throw refusal(nameless.getLast(), "found several without a name", "add name to all but one");
    }
    put(nameless.isEmpty() ? stages.getLast() : nameless.getFirst());
    for (Stage stage : stages) {
      if (!ordered.contains(stage)) {
        throw refusal(
            stage,
            "no other document uses " + stage.name().orElseThrow(),
            "remove the document, or run it by itself");
      }
    }
    return List.copyOf(ordered);
  }

  private void put(Stage stage) {
    if (ordered.contains(stage)) {
      return;
    }
    if (!open.add(stage)) {
      throw refusal(stage, "found a document that is made of its own result", "");
    }
    for (ModelReference model : stage.models()) {
      if (byName.containsKey(model.path())) {
        put(Objects.requireNonNull(byName.get(model.path())));
      }
    }
    ordered.add(stage);
  }

  private static CorruptException refusal(Stage stage, String found, String advice) {
    return new CorruptException(
        "documents do not fit together", stage.place().toString(), found, advice);
  }
}
