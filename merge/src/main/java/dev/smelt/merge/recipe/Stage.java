package dev.smelt.merge.recipe;

import dev.smelt.formats.DType;
import dev.smelt.merge.method.MethodDescription;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedSet;

/**
 * One merge of a recipe: a document of its file.
 *
 * @param name by which later stages take the result as a model
 * @param base of the whole document
 * @param slices of the output, at least one; where models are merged as wholes, one without ranges
 * @param parameters that hold unless a slice or a source says otherwise: of the module, then of the
 *     document
 * @param dtype of the output
 * @param notes on what has no effect
 * @param echo the document as plain lists, maps and values
 */
public record Stage(
    Place place,
    Optional<String> name,
    MethodDescription method,
    Optional<ModelReference> base,
    List<OutputSlice> slices,
    List<Map<String, Setting>> parameters,
    Optional<DType> dtype,
    Optional<RecipeTokenizer> tokenizer,
    List<String> notes,
    Object echo) {

  public Stage {
    slices = List.copyOf(slices);
    parameters = List.copyOf(parameters);
    notes = List.copyOf(notes);
  }

  /** Whether blocks are taken out of their models and put together anew. */
  public boolean isStacked() {
    return slices.getFirst().sources().getFirst().layers().isPresent();
  }

  /** The models it names, each once: the base, then the others in the order of the recipe. */
  public SequencedSet<ModelReference> models() {
    SequencedSet<ModelReference> models = new LinkedHashSet<>();
    base.ifPresent(models::add);
    for (OutputSlice slice : slices) {
      slice.base().ifPresent(models::add);
      slice.sources().forEach(source -> models.add(source.model()));
    }
    return models;
  }
}
