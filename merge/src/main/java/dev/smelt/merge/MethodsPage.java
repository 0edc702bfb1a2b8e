package dev.smelt.merge;

import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Parameter;

/** The page of the documentation that lists all methods, made of what they say of themselves. */
public final class MethodsPage {

  private static final String INTRODUCTION =
      """
      # Methods of merging

      Made from what the methods say of themselves; `make schema` writes this page anew. How they \
      are computed, what they share and which to choose is in [methods.md](methods.md#merging). \
      θᵢ is a tensor of model i, θ₀ that of the base, θ* the result. Parameters are options of \
      `smelt merge`, and keys of recipes in brackets.
      """;

  private MethodsPage() {}

  /** In Markdown. */
  public static String markdown() {
    StringBuilder page = new StringBuilder(INTRODUCTION);
    for (MethodDescription method : MergeMethods.all()) {
      add(method, page);
    }
    return page.toString();
  }

  private static void add(MethodDescription method, StringBuilder page) {
    page.append("\n## ").append(method.name()).append("\n\n");
    page.append(method.summary()).append(": ").append(method.equation()).append(".\n\n");
    page.append(method.reference()).append(".\n\n");
    page.append("Of ").append(inputs(method.inputs())).append(".\n");
    if (method.parameters().isEmpty()) {
      return;
    }
    page.append("\n| parameter | default | allowed | meaning |\n|---|---|---|---|\n");
    for (Parameter parameter : method.parameters()) {
      page.append(
          "| `%s` (`%s`)%s | %s | %s | %s |%n"
              .formatted(
                  parameter.option(),
                  parameter.name(),
                  times(parameter.scope()),
                  parameter.standard(),
                  parameter.range(),
                  parameter.meaning().replace("|", "\\|")));
    }
  }

  private static String times(Parameter.Scope scope) {
    return switch (scope) {
      case MERGE -> "";
      case MODEL -> ", per model or once";
      case EACH_MODEL -> ", per model";
    };
  }

  private static String inputs(MethodDescription.Inputs inputs) {
    String models =
        inputs.models() + (inputs.models() == MethodDescription.Models.ONE ? " model" : " models");
    String base =
        switch (inputs.base()) {
          case NONE -> "";
          case OPTIONAL -> ", with or without a base";
          case REQUIRED -> " and a base";
        };
    String data =
        switch (inputs.data()) {
          case NONE -> "";
          case FISHER -> ", each with its Fisher information (`--fisher`)";
          case GRAMS -> ", each with Gram matrices of inputs (`--fisher`, `--stats input-gram`)";
        };
    return models + base + data;
  }
}
