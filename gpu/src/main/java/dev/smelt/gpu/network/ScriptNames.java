package dev.smelt.gpu.network;

import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.torch.TorchScript.Place;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeSet;

/**
 * Which tensor of a checkpoint belongs into which place of a TorchScript module: the one of the
 * same name. If none has a name of the module's, but all are there behind one prefix, such as
 * {@code module.} of DataParallel, the prefix is looked through.
 *
 * @param values by the module's names
 * @param used tensors of the checkpoint
 * @param notes decisions the user should know of
 */
record ScriptNames(SequencedMap<String, TensorView> values, Set<String> used, List<String> notes) {

  /**
   * How many batches normalisation has seen. Evaluation does not read it, and PyTorch before 0.4.1
   * did not save it.
   */
  private static final String BATCHES = "num_batches_tracked";

  /**
   * @param where the checkpoint, for refusals
   * @param module the file, likewise
   */
  static ScriptNames match(DenseSource checkpoint, Path where, List<Place> places, Path module) {
    List<String> notes = new ArrayList<>();
    String prefix = prefix(checkpoint, where, places);
    if (!prefix.isEmpty()) {
      notes.add(
          "tensors of the checkpoint have the prefix '" + prefix + "' before the module's names");
    }
    SequencedMap<String, TensorView> values = new LinkedHashMap<>();
    List<String> missing = new ArrayList<>();
    List<String> products = new ArrayList<>();
    Set<String> used = new HashSet<>();
    int counters = 0;
    for (Place place : places) {
      String name = prefix + place.name();
      Optional<TensorInfo> found = checkpoint.find(name);
      if (found.isPresent()) {
        requireShape(found.get(), place, module);
        values.put(place.name(), checkpoint.view(name, place.info().dtype()));
        used.addAll(checkpoint.holders(name));
        if (checkpoint.isFactored(name)) {
          products.add(name);
        }
      } else if (place.name().endsWith(BATCHES) && !place.isParameter()) {
        counters++;
      } else {
        missing.add(name);
      }
    }
    if (!missing.isEmpty()) {
      throw new NotFoundException(
          "checkpoint lacks tensors of the TorchScript module",
          where.toString(),
          missing.size()
              + " of "
              + places.size()
              + ", the first '"
              + missing.getFirst()
              + "' as in "
              + module,
          "compare both with smelt inspect");
    }
    if (counters > 0) {
      notes.add(
          counters
              + " tensors named "
              + BATCHES
              + " are the module's own: the checkpoint has none, and evaluation does not read them");
    }
    if (!products.isEmpty()) {
      notes.add(
          products.size()
              + " tensors are products of the checkpoint's factors, multiplied out for the module,"
              + " the first "
              + products.getFirst());
    }
    return new ScriptNames(values, used, notes);
  }

  private static void requireShape(TensorInfo view, Place place, Path module) {
    if (!view.shape().equals(place.info().shape())) {
      throw new MismatchException(
          "tensor does not fit the TorchScript module",
          view.name(),
          "has shape " + view.shape() + ", in " + module + " " + place.info().shape(),
          "");
    }
  }

  private static String prefix(DenseSource checkpoint, Path where, List<Place> places) {
    List<String> needed =
        places.stream().map(Place::name).filter(name -> !name.endsWith(BATCHES)).toList();
    if (needed.isEmpty() || needed.stream().anyMatch(each -> checkpoint.find(each).isPresent())) {
      return "";
    }
    TreeSet<String> found = new TreeSet<>();
    for (String name : checkpoint.names()) {
      String first = "." + needed.getFirst();
      if (name.endsWith(first)) {
        String prefix = name.substring(0, name.length() - first.length() + 1);
        if (needed.stream().allMatch(each -> checkpoint.find(prefix + each).isPresent())) {
          found.add(prefix);
        }
      }
    }
    if (found.size() > 1) {
      throw new UnsupportedException(
          "several models in one checkpoint fit the TorchScript module",
          where.toString(),
          "found the prefixes " + String.join(", ", found),
          "give a checkpoint of one model");
    }
    return found.isEmpty() ? "" : found.first();
  }
}
