package dev.smelt.compress.sharing;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.compress.metric.Metric;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorView;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * The matrices of all models that may share, and why the others may not.
 *
 * @param sharing may be in clusters
 * @param alone of which the data say nothing, so that plain errors count; in no cluster
 * @param copies equal another model's tensor of the same name, and get what it gets: place → that
 *     of the other
 * @param kept stay as they are → why
 */
record Subjects(
    List<Subject> sharing, List<Subject> alone, Map<Place, Place> copies, Map<Place, String> kept) {

  static final String UNCHANGED = "as in the base";

  /** A matrix by its model's place and its module. */
  record Place(int model, String module) {

    static Place of(Subject subject) {
      return new Place(subject.model(), subject.layer().module());
    }
  }

  /**
   * @param base what models are changes of
   * @param layers of each model
   */
  static Subjects of(
      List<ZooModel> models,
      Optional<Checkpoint> base,
      List<List<Layer>> layers,
      StoredTensors stored) {
    Subjects all =
        new Subjects(
            new ArrayList<>(), new ArrayList<>(), new LinkedHashMap<>(), new LinkedHashMap<>());
    Map<String, SequencedMap<Place, Layer>> byName = new HashMap<>();
    for (int i = 0; i < models.size(); i++) {
      for (Layer layer : layers.get(i)) {
        Place place = new Place(i, layer.module());
        SequencedMap<Place, Layer> namesakes =
            byName.computeIfAbsent(layer.module(), module -> new LinkedHashMap<>());
        Optional<Place> same =
            namesakes.entrySet().stream()
                .filter(other -> equal(other.getValue(), layer))
                .map(Map.Entry::getKey)
                .findFirst();
        if (same.isPresent()) {
          all.copies().put(place, same.get());
        } else {
          namesakes.put(place, layer);
          all.add(place, layer, models.get(i).metric(), base, stored);
        }
      }
    }
    return all;
  }

  private static boolean equal(Layer one, Layer other) {
    return one.transposed() == other.transposed() && one.weight().sameBits(other.weight());
  }

  private void add(
      Place place, Layer layer, Metric metric, Optional<Checkpoint> base, StoredTensors stored) {
    Optional<Layer> original = Optional.empty();
    if (base.isPresent()) {
      TensorView weight = layer.weight();
      Optional<TensorView> found = base.get().find(weight.name());
      boolean fits =
          found.isPresent()
              && found.get().shape().equals(weight.shape())
              && found.get().dtype().isFloat();
      if (!fits) {
        kept.put(place, "the base has no such tensor of this shape");
        return;
      }
      if (found.get().sameBits(weight)) {
        kept.put(place, UNCHANGED);
        return;
      }
      TensorView asStored = stored.kept(found.get(), weight.name());
      original =
          Optional.of(
              new Layer(
                  base.get().path(), layer.module(), asStored, layer.transposed(), layer.part()));
    }
    Subject subject = Subject.of(place.model(), layer, original, metric);
    if (subject.isInformed()) {
      sharing.add(subject);
    } else {
      alone.add(subject.plain());
    }
  }
}
