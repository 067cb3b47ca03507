# SPDX-License-Identifier: Apache-2.0
"""An invented estate: who is responsible for which doors.

One city, a district for each station, ten controllers to a site.  Controllers
are dealt out to the districts in turn, so that each station gets its share of
whatever a fleet does.
"""

import json

STATIONS = ("north", "east", "south")
CONTROLLERS_PER_SITE = 10


class Estate:
    """`controllers` of them, the first `two_doors` with two doors, the others with one.

    Each station has `consoles`: desk-north, desk-north-2 and so on.
    """

    def __init__(self, controllers, two_doors=0, stations=STATIONS, consoles=1,
                 per_site=CONTROLLERS_PER_SITE):
        self._per_site = per_site
        self.stations = list(stations)
        self.controllers = [f"ctl-{i:05d}" for i in range(1, controllers + 1)]
        self.consoles = {f"desk-{station}" + (f"-{i}" if i > 1 else ""): station
                         for station in self.stations for i in range(1, consoles + 1)}
        self._two_doors = two_doors
        self.offices = {}  # registration desks: name -> columns

    def district(self, index):
        """Code of the area that the controller of this index lies in."""
        return f"{self.stations[index % len(self.stations)]}-district"

    def site(self, index):
        station = self.stations[index % len(self.stations)]
        return f"{station}-{index // len(self.stations) // self._per_site + 1:03d}"

    def doors(self, index):
        """Codes of this controller's doors, by number from 1."""
        count = 2 if index < self._two_doors else 1
        return [f"D{index + 1:05d}-{number}" for number in range(1, count + 1)]

    @property
    def door_count(self):
        return len(self.controllers) + min(self._two_doors, len(self.controllers))

    def write_setup(self, path):
        """The file for `gatehousectl setup apply`."""
        with open(path, "w", encoding="utf-8") as out:
            for section, rows in self._sections():
                out.write(f"{section}:\n")
                for row in rows:
                    # JSON text is a YAML flow mapping
                    out.write(f"  - {json.dumps(row)}\n")

    def _sections(self):
        indexes = range(len(self.controllers))
        yield "stations", [{"code": s, "name": f"Station {s.title()}"} for s in self.stations]
        yield "areas", [{"code": "city", "name": "The city"}] + [
            {"code": f"{s}-district", "name": f"{s.title()} district", "parent": "city",
             "station": s} for s in self.stations]
        sites = {self.site(i): self.district(i) for i in indexes}
        yield "sites", [
            {"code": code, "name": f"Estate {code}", "area": area,
             "address": f"{int(code.split('-')[1])} {code.split('-')[0].title()} Road"}
            for code, area in sites.items()]
        yield "controllers", [{"name": name, "site": self.site(i)}
                              for i, name in enumerate(self.controllers)]
        yield "doors", [
            {"code": code, "name": f"Entrance {number} of block {i + 1}", "site": self.site(i),
             "controller": self.controllers[i], "number": number}
            for i in indexes for number, code in enumerate(self.doors(i), start=1)]
        yield "consoles", [{"name": console, "station": station}
                           for console, station in self.consoles.items()]


class RightsEstate(Estate):
    """An estate whose cards are registered: each site has a time zone, a group "all" of its
    doors, two units (u1 with the doors of its first controller, u2 with those of its second),
    and a landlord for each unit; one manager, "office", has all sites.
    """

    def __init__(self, controllers, timezone="Europe/Berlin", **how):
        super().__init__(controllers, **how)
        self.timezone = timezone
        self.sites = list(dict.fromkeys(self.site(i) for i in range(controllers)))
        self.offices = {"office": {"role": "manager", "sites": ",".join(self.sites)}}
        for site in self.sites:
            for unit in self._units(site):
                self.offices[f"owner-{site}-{unit}"] = {"role": "landlord",
                                                        "units": f"{site}/{unit}"}

    def controllers_of(self, site):
        """Indexes of the controllers there."""
        return [i for i in range(len(self.controllers)) if self.site(i) == site]

    def _units(self, site):
        return {f"u{n}": self.doors(i)
                for n, i in enumerate(self.controllers_of(site)[:2], start=1)}

    def _sections(self):
        for section, rows in super()._sections():
            if section == "sites":
                rows = [{**row, "timezone": self.timezone} for row in rows]
            yield section, rows
        yield "units", [{"code": unit, "name": f"Unit {unit}", "site": site,
                         "doors": ",".join(doors)}
                        for site in self.sites for unit, doors in self._units(site).items()]
        yield "groups", [{"code": "all", "name": "All doors", "site": site, "doors": ",".join(
            door for i in self.controllers_of(site) for door in self.doors(i))}
                         for site in self.sites]
        yield "desks", [{"name": name, **columns} for name, columns in self.offices.items()]
