package dev.smelt.cli.command;

import dev.smelt.cli.ExitCode;
import dev.smelt.cli.Smelt;
import dev.smelt.formats.GateException;
import dev.smelt.formats.Json;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** What all commands share: the root's options, and one result printed one way. */
public abstract class SmeltCommand implements Callable<Integer> {

  private @Nullable Smelt root;

  /**
   * What a command found or did.
   *
   * @param json the document for {@code --json}: a record, map or list
   * @param text for people, made only when wanted
   * @param failedGate set when the work is done but a limit was not met
   */
  protected record Result(Object json, Supplier<String> text, Optional<GateException> failedGate) {

    static Result of(Object json, Supplier<String> text) {
      return new Result(json, text, Optional.empty());
    }
  }

  /** Called once, before anything else. */
  public final void attach(Smelt owner) {
    this.root = owner;
  }

  protected final Smelt root() {
    if (root == null) {
      throw new IllegalStateException("command without a root");
    }
    return root;
  }

  /** Checks the options, then does the work. */
  protected abstract Result execute();

  @Override
  public final Integer call() {
    root().requireValidOptions();
    Result result = execute();
    root().console().print(root().json() ? Json.write(result.json()) : result.text().get());
    if (result.failedGate().isPresent()) {
      throw result.failedGate().get();
    }
    return ExitCode.DONE;
  }
}
