package dev.smelt.formats.torch;

import dev.smelt.formats.pickle.PickleValue;
import dev.smelt.formats.pickle.PickleValue.Bool;
import dev.smelt.formats.pickle.PickleValue.Bytes;
import dev.smelt.formats.pickle.PickleValue.Dict;
import dev.smelt.formats.pickle.PickleValue.Global;
import dev.smelt.formats.pickle.PickleValue.Instance;
import dev.smelt.formats.pickle.PickleValue.None;
import dev.smelt.formats.pickle.PickleValue.PersistentId;
import dev.smelt.formats.pickle.PickleValue.Real;
import dev.smelt.formats.pickle.PickleValue.Reduce;
import dev.smelt.formats.pickle.PickleValue.Sequence;
import dev.smelt.formats.pickle.PickleValue.Text;
import dev.smelt.formats.pickle.PickleValue.Tuple;
import dev.smelt.formats.pickle.PickleValue.Whole;
import java.util.IdentityHashMap;

/** Values of a pickle in a few words, and whether they hold tensors. */
final class Descriptions {

  /** Enough to recognise a remark by. */
  private static final int MAX_TEXT = 100;

  /** Every value is looked at once, however many others share it. */
  private final IdentityHashMap<PickleValue, Boolean> known = new IdentityHashMap<>();

  String of(PickleValue value) {
    return switch (value) {
      case None _ -> "None";
      case Bool bool -> Boolean.toString(bool.value());
      case Whole whole -> whole.value().toString();
      case Real real -> Double.toString(real.value());
      case Text text -> shortened(text.value());
      case Bytes bytes -> bytes.length() + " bytes";
      case Global global -> shortened(global.qualified());
      case PersistentId _ -> "a storage";
      case Reduce call when TorchGlobals.isTensor(call.function()) -> "a tensor";
      case Reduce call -> with("a " + shortened(call.function().qualified()), call);
      case Instance instance -> with("a " + shortened(instance.type().qualified()), instance);
      case Tuple tuple -> with("a tuple of " + tuple.items().size(), tuple);
      case Sequence sequence -> with("a list of " + sequence.items().size(), sequence);
      case Dict dict -> with("a dict of " + dict.entries().size(), dict);
    };
  }

  private String with(String what, PickleValue value) {
    return holdsTensors(value) ? what + ", with tensors" : what;
  }

  /** Short, and without characters that would steer a terminal. */
  private static String shortened(String text) {
    String clean = text.replaceAll("[\\p{Cc}\\p{Cf}]", "?");
    return clean.length() <= MAX_TEXT ? clean : clean.substring(0, MAX_TEXT) + "…";
  }

  /** Whether a value is a tensor or has one in it, at any depth. */
  boolean holdsTensors(PickleValue value) {
    if (StridedTensor.isTensor(value)) {
      return true;
    }
    Boolean answer = known.get(value);
    if (answer == null) {
      answer = value.parts().stream().anyMatch(this::holdsTensors);
      known.put(value, answer);
    }
    return answer;
  }
}
