package dev.smelt.compress.sharing;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorView;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

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
    Map<String, List<Subject>> byName = new HashMap<>();
    for (int i = 0; i < models.size(); i++) {
      for (Layer layer : layers.get(i)) {
        Subject plain = new Subject(i, layer, Optional.empty(), models.get(i).metric());
        List<Subject> namesakes =
            byName.computeIfAbsent(layer.module(), module -> new ArrayList<>());
        Optional<Subject> same =
            namesakes.stream().filter(other -> equal(other.layer(), layer)).findFirst();
        if (same.isPresent()) {
          all.copies().put(Place.of(plain), Place.of(same.get()));
        } else {
          namesakes.add(plain);
          all.add(plain, base, stored);
        }
      }
    }
    return all;
  }

  private static boolean equal(Layer one, Layer other) {
    return one.transposed() == other.transposed() && one.weight().sameBits(other.weight());
  }

  private void add(Subject plain, Optional<Checkpoint> base, StoredTensors stored) {
    TensorView weight = plain.layer().weight();
    Subject subject = plain;
    if (base.isPresent()) {
      Optional<TensorView> original = base.get().find(weight.name());
      boolean fits =
          original.isPresent()
              && original.get().shape().equals(weight.shape())
              && original.get().dtype().isFloat();
      if (!fits) {
        kept.put(Place.of(plain), "the base has no such tensor of this shape");
        return;
      }
      if (original.get().sameBits(weight)) {
        kept.put(Place.of(plain), UNCHANGED);
        return;
      }
      TensorView asStored = stored.kept(original.get(), weight.name());
      subject =
          plain.changing(
              new Layer(
                  base.get().path(),
                  plain.layer().module(),
                  asStored,
                  plain.layer().transposed(),
                  plain.layer().part()));
    }
    if (subject.isInformed()) {
      sharing.add(subject);
    } else {
      alone.add(subject.plain());
    }
  }
}
