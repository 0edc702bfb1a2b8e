package dev.smelt.compress.sharing;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.sharing.Subjects.Place;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What has become of matrices, and of the panels of those that were cut. */
final class Pieces {

  private final Map<Place, SharedBasis> found = new HashMap<>();

  /** Matrices some of whose panels share, and the side on which they do. */
  private final Map<Place, Side> cut = new HashMap<>();

  void add(SharedBasis basis) {
    for (SharedMember member : basis.members()) {
      Subject subject = member.subject();
      found.put(Place.of(subject), basis);
      if (subject.layer().part().isPresent()) {
        cut.putIfAbsent(new Place(subject.model(), subject.layer().whole()), basis.side());
      }
    }
  }

  /** A matrix as it is stored: its panels where one of them shares, else itself. */
  List<Subject> of(Subject subject, Panels panels) {
    return of(Place.of(subject), subject.layer(), panels).stream().map(subject::part).toList();
  }

  /**
   * @param source whose fate the layer has: its own, or that of another model's that it equals
   */
  List<Layer> of(Place source, Layer layer, Panels panels) {
    Side side = cut.get(source);
    return side == null ? List.of(layer) : panels.of(layer, side);
  }

  boolean isFree(Subject subject) {
    return !found.containsKey(Place.of(subject));
  }

  /** Empty where it stays dense. */
  Optional<SharedBasis> basis(Place place) {
    return Optional.ofNullable(found.get(place));
  }
}
