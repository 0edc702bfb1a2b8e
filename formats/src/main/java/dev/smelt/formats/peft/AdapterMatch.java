package dev.smelt.formats.peft;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Architecture;
import dev.smelt.formats.model.TensorRole;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * An adapter laid over its base: which tensor it changes and how, every name and shape checked.
 * Names may carry the family's prefix in one of the two and lack it in the other.
 *
 * @param tensors the base's in its order, then those that only the adapter has
 * @param notes what a user should know of the changed model
 */
public record AdapterMatch(List<AdaptedTensor> tensors, List<String> notes) {

  private static final String WEIGHT = ".weight";
  private static final String BIAS = ".bias";

  public AdapterMatch {
    tensors = List.copyOf(tensors);
    notes = List.copyOf(notes);
  }

  /**
   * @throws NotFoundException when the base lacks a module that the adapter changes, or the adapter
   *     lacks factors or tensors that its config promises
   * @throws MismatchException when shapes do not fit
   */
  public static AdapterMatch of(Checkpoint base, Adapter adapter) {
    return new Matcher(base, adapter).match();
  }

  private static final class Matcher {
    private final Checkpoint base;
    private final Adapter adapter;
    private final Architecture architecture;
    private final SequencedMap<String, AdaptedTensor> byBareName = new LinkedHashMap<>();
    private final List<String> notes = new ArrayList<>();

    Matcher(Checkpoint base, Adapter adapter) {
      this.base = base;
      this.adapter = adapter;
      this.architecture = Architecture.of(base.config());
    }

    AdapterMatch match() {
      for (TensorView tensor : base.tensors()) {
        byBareName.put(
            architecture.bareName(tensor.name()), AdaptedTensor.of(tensor.name(), tensor, false));
      }
      adapter.full().forEach(this::replace);
      adapter.factors().values().forEach(this::change);
      adapter.factorBiases().forEach(this::shift);
      requirePromised();
      followTies();
      return new AdapterMatch(List.copyOf(byBareName.values()), notes);
    }

    /** A stored copy of a tied tensor stays what it is a copy of. */
    private void followTies() {
      if (!base.config().map(architecture::isTied).orElse(false)) {
        return;
      }
      architecture
          .tied()
          .forEach(
              (copy, source) -> {
                AdaptedTensor own = byBareName.get(copy);
                AdaptedTensor followed = byBareName.get(source);
                if (own != null && followed != null && own.isAsStored() && !own.inAdapter()) {
                  byBareName.put(copy, followed.named(own.name()));
                }
              });
    }

    private void requirePromised() {
      AdapterConfig config = adapter.config();
      for (AdaptedTensor tensor : byBareName.values()) {
        String name = tensor.name();
        int leaf = name.lastIndexOf('.');
        if (leaf < 0 || !tensor.start().dtype().isFloat()) {
          continue;
        }
        String module = name.substring(0, leaf);
        boolean saved = config.modulesToSave().stream().anyMatch(entry -> isWithin(module, entry));
        if (saved) {
          require(holds(adapter.full(), name), name, "modules_to_save");
        } else if (name.endsWith(WEIGHT)
            && tensor.start().shape().isMatrix()
            && config.targets().stream().anyMatch(entry -> isNamed(module, entry))) {
          require(holds(adapter.factors(), module), name, "target_modules");
        }
      }
    }

    private boolean holds(Map<String, ?> tensors, String name) {
      return tensors.keySet().stream()
          .anyMatch(own -> architecture.bareName(own).equals(architecture.bareName(name)));
    }

    private void require(boolean there, String name, String key) {
      if (!there) {
        throw new NotFoundException(
            "tensor missing in an adapter",
            adapter.path() + "|" + name,
            "expected it, for " + AdapterConfig.FILE + " names its module under " + key,
            "copy the adapter again, or give its own base");
      }
    }

    /** Whether a name ends, from a dot or its start on, as an entry of the config says. */
    private boolean isNamed(String module, String entry) {
      return ("." + architecture.prefix() + architecture.bareName(module)).endsWith("." + entry)
          || ("." + module).endsWith("." + entry);
    }

    private boolean isWithin(String module, String entry) {
      for (String at = module;
          !at.isEmpty();
          at = at.substring(0, Math.max(0, at.lastIndexOf('.')))) {
        if (isNamed(at, entry)) {
          return true;
        }
      }
      return false;
    }

    private void replace(String name, TensorView view) {
      String bare = architecture.bareName(name);
      AdaptedTensor own = byBareName.get(bare);
      if (own == null) {
        byBareName.put(bare, AdaptedTensor.of(name, view, true));
        return;
      }
      if (!own.start().shape().equals(view.shape())) {
        notes.add(
            String.format(
                "%s is %s in the adapter and %s in the base",
                own.name(), view.shape(), own.start().shape()));
      }
      byBareName.put(bare, AdaptedTensor.of(own.name(), view, true));
    }

    private void change(AdapterFactors factors) {
      AdaptedTensor own = changed(factors.module(), WEIGHT);
      TensorRole role = architecture.role(own.start().info());
      boolean transposed =
          !factors.table()
              && (architecture.isKnown()
                  ? role == TensorRole.CONV1D
                  : adapter.config().fanInFanOut());
      Shape expected =
          factors.table() || transposed
              ? Shape.of(factors.columns(), factors.rows())
              : Shape.of(factors.rows(), factors.columns());
      requireShape(own, expected);
      byBareName.put(architecture.bareName(own.name()), own.with(factors, transposed));
      if (factors.table() && !adapter.config().tiedWeights() && isTied(own)) {
        notes.add(
            own.name()
                + " is tied to the output matrix, so its change holds for both, as where PEFT"
                + " merges it");
      }
    }

    private boolean isTied(AdaptedTensor table) {
      return base.config().map(architecture::isTied).orElse(false)
          && architecture.tied().containsValue(architecture.bareName(table.name()));
    }

    private void shift(String module, TensorView bias) {
      AdaptedTensor own = changed(module, BIAS);
      requireShape(own, bias.shape());
      byBareName.put(
          architecture.bareName(own.name()), own.with(bias, adapter.config().scale(module)));
    }

    private AdaptedTensor changed(String module, String leaf) {
      String bare = architecture.bareName(module + leaf);
      AdaptedTensor own = byBareName.get(bare);
      if (own != null && own.start().dtype().isFloat()) {
        return own;
      }
      boolean tied =
          architecture.tied().containsKey(bare)
              && base.config().map(architecture::isTied).orElse(false);
      throw new NotFoundException(
          "adapter changes a module that the base lacks",
          adapter.path() + "|" + module,
          tied
              ? "it is tied to the embedding of " + base.path()
              : "expected floats named '" + module + leaf + "' in " + base.path(),
          tied ? "untie it in the base first" : "give the base that the adapter was made for");
    }

    private void requireShape(AdaptedTensor own, Shape expected) {
      if (!own.start().shape().equals(expected)) {
        throw new MismatchException(
            "adapter does not fit its base",
            adapter.path() + "|" + own.name(),
            "expected " + expected + ", found " + own.start().shape() + " in " + base.path(),
            "give the base that the adapter was made for");
      }
    }
  }
}
