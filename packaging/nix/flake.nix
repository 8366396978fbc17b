# nix run 'github:nskit/nskit?dir=packaging/nix' -- unshare --help
{
  description = "unshare, nsenter and setns that say why a namespace operation failed";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      each = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system}.pkgsStatic);
      source = ../..;
      manifest = (builtins.fromTOML (builtins.readFile (source + "/Cargo.toml"))).package;
    in
    {
      packages = each (pkgs: {
        default = pkgs.rustPlatform.buildRustPackage {
          pname = manifest.name;
          inherit (manifest) version;
          src = source;
          cargoLock.lockFile = source + "/Cargo.lock";

          # What is tested needs root and other kernels.
          doCheck = false;
          # cargo's own step has put the binary there; the rest is put beside it.
          postInstall = ''
            patchShebangs packaging
            FORCE=1 PREFIX=$out binary=$out/bin/nskit packaging/install install
            rm $out/share/doc/nskit/installed
          '';

          meta = {
            inherit (manifest) description homepage;
            license = with pkgs.lib.licenses; [
              mit
              asl20
            ];
            mainProgram = "nskit";
            platforms = systems;
          };
        };
      });
    };
}
