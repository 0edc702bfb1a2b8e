package dev.smelt.cli;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;

import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** The arrows of docs/architecture.md. */
@AnalyzeClasses(packages = "dev.smelt", importOptions = DoNotIncludeTests.class)
class HouseTest {

  @ArchTest
  static final ArchRule ROOMS =
      layeredArchitecture()
          .consideringOnlyDependenciesInLayers()
          .layer("formats")
          .definedBy("dev.smelt.formats..")
          .layer("gpu")
          .definedBy("dev.smelt.gpu..")
          .layer("merge")
          .definedBy("dev.smelt.merge..")
          .layer("compress")
          .definedBy("dev.smelt.compress..")
          .layer("cli")
          .definedBy("dev.smelt.cli..")
          .whereLayer("cli")
          .mayNotBeAccessedByAnyLayer()
          .whereLayer("merge")
          .mayOnlyBeAccessedByLayers("cli")
          .whereLayer("compress")
          .mayOnlyBeAccessedByLayers("cli")
          .whereLayer("gpu")
          .mayOnlyBeAccessedByLayers("merge", "compress", "cli");

  @ArchTest
  static final ArchRule ONLY_GPU_KNOWS_THE_ENGINE =
      noClasses()
          .that()
          .resideOutsideOfPackage("dev.smelt.gpu..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("ai.djl..");

  @ArchTest
  static final ArchRule ENGINE_INTERNALS_STAY_IN_GPU =
      noClasses()
          .that()
          .resideOutsideOfPackage("dev.smelt.gpu..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("dev.smelt.gpu.torch..", "dev.smelt.gpu.layer..");

  @ArchTest
  static final ArchRule ONLY_CLI_KNOWS_THE_COMMAND_LINE =
      noClasses()
          .that()
          .resideOutsideOfPackage("dev.smelt.cli..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("picocli..");

  @ArchTest
  static final ArchRule ONLY_MAIN_ENDS_THE_PROCESS =
      noClasses()
          .that()
          .doNotHaveFullyQualifiedName("dev.smelt.cli.Main")
          .should()
          .callMethod(System.class, "exit", int.class)
          .orShould()
          .callMethod(Runtime.class, "halt", int.class);

  @ArchTest
  static final ArchRule NOTHING_PRINTS_BESIDE_THE_CONSOLE =
      noClasses()
          .that()
          .doNotHaveFullyQualifiedName("dev.smelt.cli.Main")
          .should()
          .accessField(System.class, "out")
          .orShould()
          .accessField(System.class, "err");
}
